/// The shapes that filters have: which of their levels are `+`, down to each level.
///
/// Of all nodes of one shape in a tree of filters, a topic can reach one at most, since the topic says what stands in
/// the levels that are not `+`. So the number of shapes bounds the nodes that any match looks at, whatever the
/// filters and the topic: that is what keeps `+/a/+/…` in all 2^k variations from stopping the broker (attack case
/// 61), while a hundred thousand filters that differ in their names have a handful of shapes.
struct WildcardShapes {
    private struct Shape {
        let parent: UInt32
        /// How many nodes have this shape.
        var nodes: UInt32 = 0
        /// The shape one level deeper, by whether that level is `+`.
        var named = noShape
        var any = noShape
    }

    /// The first is that of the root, which stays. A free place has the next free one in `named`.
    private var shapes: [Shape] = [Shape(parent: noShape)]
    private var free = noShape

    /// How many shapes are in use, the root's not counted.
    private(set) var count = 0

    /// The shape one level below `shape`, if a node has it.
    func child(of shape: UInt32, isAny: Bool) -> UInt32? {
        let child = isAny ? shapes[Int(shape)].any : shapes[Int(shape)].named
        return child == noShape ? nil : child
    }

    /// The shape of a new node one level below one of `shape`.
    mutating func acquireChild(of shape: UInt32, isAny: Bool) -> UInt32 {
        let child = child(of: shape, isAny: isAny) ?? add(below: shape, isAny: isAny)
        shapes[Int(child)].nodes += 1
        return child
    }

    /// A node of this shape has gone; those below it went before.
    mutating func release(_ shape: UInt32) {
        shapes[Int(shape)].nodes -= 1
        guard shapes[Int(shape)].nodes == 0 else { return }
        let parent = Int(shapes[Int(shape)].parent)
        if shapes[parent].any == shape { shapes[parent].any = noShape } else { shapes[parent].named = noShape }
        shapes[Int(shape)].named = free
        free = shape
        count -= 1
    }

    private mutating func add(below parent: UInt32, isAny: Bool) -> UInt32 {
        let shape = free == noShape ? UInt32(shapes.count) : free
        if free == noShape {
            shapes.append(Shape(parent: parent))
        } else {
            free = shapes[Int(shape)].named
            shapes[Int(shape)] = Shape(parent: parent)
        }
        if isAny { shapes[Int(parent)].any = shape } else { shapes[Int(parent)].named = shape }
        count += 1
        return shape
    }
}

/// The shape of the root.
let rootShape: UInt32 = 0

private let noShape = UInt32.max
