import Bytes

/// A tree of topic levels in flat arrays: nodes by number, and one hash table of the edges from (node, token) to the
/// child. Children also stand in a list, in the order in which they came.
struct LevelTree<Value> {
    private(set) var levels: LevelTable
    private(set) var nodes: [Node]
    private var edges = HashSlots()
    private let hashing: ByteHash
    private let empty: Value
    private let rootCount: Int
    private var freeNode = noNode

    struct Node {
        let parent: UInt32
        let token: UInt32
        fileprivate(set) var firstChild: UInt32
        /// The siblings make a circle; a free node has the next free one here.
        fileprivate(set) var nextSibling: UInt32
        fileprivate(set) var previousSibling: UInt32
        var value: Value
    }

    /// A tree, or a grove: nodes 0 to `rootCount - 1` are roots and stay. `empty` is the value of a new node.
    init(seed: UInt64, rootCount: Int, empty: Value) {
        levels = LevelTable(seed: seed)
        hashing = ByteHash(seed: ~seed)
        self.empty = empty
        self.rootCount = rootCount
        let root = Node(
            parent: noNode, token: noToken, firstChild: noNode, nextSibling: noNode, previousSibling: noNode,
            value: empty)
        nodes = [Node](repeating: root, count: rootCount)
    }

    /// How many nodes there are, without the roots.
    var count: Int { edges.count }

    /// Memory in bytes.
    var bytes: Int { nodes.capacity * MemoryLayout<Node>.stride + edges.bytes + levels.bytes }

    /// The value of a node.
    subscript(node: UInt32) -> Value {
        @inline(__always) get { nodes[Int(node)].value }
        @inline(__always) _modify { yield &nodes[Int(node)].value }
    }

    /// The child of `node` on the edge `token`.
    @inline(__always)
    func child(of node: UInt32, _ token: UInt32) -> UInt32? {
        guard nodes[Int(node)].firstChild != noNode else { return nil }
        return edges.find(hashing.hash(node, token)) { place in
            nodes[Int(place)].token == token && nodes[Int(place)].parent == node
        }
    }

    /// The child of `node` for a level of a name.
    func child(of node: UInt32, named level: ByteView) -> UInt32? {
        guard let token = levels.find(level) else { return nil }
        return child(of: node, token)
    }

    /// The child of `node` for a level of a name, a new one if there is none yet.
    mutating func makeChild(of node: UInt32, named level: ByteView) -> UInt32 {
        if let child = child(of: node, named: level) { return child }
        return addChild(of: node, levels.acquire(level))
    }

    /// The child of `node` for the wildcard `+`, a new one if there is none yet.
    mutating func makeAnyChild(of node: UInt32) -> UInt32 {
        child(of: node, anyLevelToken) ?? addChild(of: node, anyLevelToken)
    }

    /// Removes a node that has no children and returns its parent; nil if it must stay.
    mutating func removeLeaf(_ leaf: UInt32) -> UInt32? {
        let node = nodes[Int(leaf)]
        guard Int(leaf) >= rootCount, node.firstChild == noNode else { return nil }
        edges.remove(hashing.hash(node.parent, node.token), leaf)
        if node.token != anyLevelToken { levels.release(node.token) }
        if node.nextSibling == leaf {
            nodes[Int(node.parent)].firstChild = noNode
        } else {
            nodes[Int(node.previousSibling)].nextSibling = node.nextSibling
            nodes[Int(node.nextSibling)].previousSibling = node.previousSibling
            if nodes[Int(node.parent)].firstChild == leaf { nodes[Int(node.parent)].firstChild = node.nextSibling }
        }
        nodes[Int(leaf)].value = empty
        nodes[Int(leaf)].nextSibling = freeNode
        freeNode = leaf
        return node.parent
    }

    /// Gives the memory of an empty tree back, if it had become large.
    mutating func shrinkWhenEmpty() {
        guard count == 0, nodes.capacity > keptNodesMax else { return }
        levels.removeAll()
        nodes = Array(nodes[..<rootCount])
        freeNode = noNode
    }

    /// The sibling that came after this one; nil for the last.
    func sibling(after node: UInt32) -> UInt32? {
        let next = nodes[Int(node)].nextSibling
        guard Int(node) >= rootCount, next != nodes[Int(nodes[Int(node)].parent)].firstChild else { return nil }
        return next
    }

    private mutating func addChild(of parent: UInt32, _ token: UInt32) -> UInt32 {
        let first = nodes[Int(parent)].firstChild
        let child = freeNode == noNode ? UInt32(nodes.count) : freeNode
        let last = first == noNode ? child : nodes[Int(first)].previousSibling
        let node = Node(
            parent: parent, token: token, firstChild: noNode, nextSibling: first == noNode ? child : first,
            previousSibling: last, value: empty)
        if freeNode == noNode {
            // Twice the number of a node is a number too: SubscriptionTree names the lists of a node so.
            precondition(nodes.count < Int(noNode / 2))
            nodes.append(node)
        } else {
            freeNode = nodes[Int(child)].nextSibling
            nodes[Int(child)] = node
        }
        if first == noNode {
            nodes[Int(parent)].firstChild = child
        } else {
            nodes[Int(last)].nextSibling = child
            nodes[Int(first)].previousSibling = child
        }
        edges.insert(hashing.hash(parent, token), child)
        return child
    }
}

/// No node, where a number of one stands.
let noNode = UInt32.max

private let keptNodesMax = 1024
