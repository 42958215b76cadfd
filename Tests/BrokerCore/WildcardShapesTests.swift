import Testing

@testable import BrokerCore

@Suite struct WildcardShapesTests {
    @Test("A shape lives as long as a node has it, and its place is used again")
    func life() throws {
        var shapes = WildcardShapes()
        let any = shapes.acquireChild(of: rootShape, isAny: true)
        #expect(shapes.acquireChild(of: rootShape, isAny: true) == any)
        let named = shapes.acquireChild(of: any, isAny: false)
        #expect(shapes.count == 2)
        #expect(shapes.child(of: any, isAny: false) == named)
        #expect(shapes.child(of: any, isAny: true) == nil)
        shapes.release(named)
        #expect(shapes.count == 1)
        #expect(shapes.child(of: any, isAny: false) == nil)
        shapes.release(any)
        #expect(shapes.count == 1)
        shapes.release(any)
        #expect(shapes.count == 0)
        #expect(shapes.child(of: rootShape, isAny: true) == nil)
        for _ in 0..<10 {
            let again = shapes.acquireChild(of: rootShape, isAny: false)
            #expect(again == any)
            shapes.release(again)
        }
    }
}
