import Foundation
import Reactor
import Testing

@Suite struct MailboxTests {
    @Test("Batches from many threads arrive whole, in each thread's order")
    func manyThreads() throws {
        let world = try Recorder()
        let mailbox = try Mailbox<[Int]>()
        let token = try world.loop.add(mailbox)
        let (threads, batches) = (4, 500)
        for thread in 0..<threads {
            Thread.detachNewThread {
                for batch in 0..<batches { mailbox.post([[thread, batch * 2], [thread, batch * 2 + 1]]) }
            }
        }
        var got: [[Int]] = []
        world.onMail = { _ in got += mailbox.drain() }
        #expect(world.turn { got.count == threads * batches * 2 })
        for thread in 0..<threads {
            #expect(got.filter { $0[0] == thread }.map { $0[1] } == Array(0..<batches * 2))
        }
        #expect(world.events.allSatisfy { $0 == .mail(token) })
    }

    @Test("Several posts before the loop comes are one wake-up, and none is left afterwards")
    func oneWakeUp() throws {
        let world = try Recorder()
        let mailbox = try Mailbox<Int>()
        let token = try world.loop.add(mailbox)
        mailbox.post([])
        mailbox.post([1])
        mailbox.post([2, 3])
        var got: [Int] = []
        world.onMail = { _ in got += mailbox.drain() }
        world.settle()
        #expect(got == [1, 2, 3])
        #expect(world.events == [.mail(token)])
    }

    @Test("A closed mailbox wakes nobody and may still be posted to")
    func closed() throws {
        let world = try Recorder()
        let mailbox = try Mailbox<Int>()
        world.loop.close(try world.loop.add(mailbox))
        mailbox.post([1])
        world.settle()
        #expect(world.events.isEmpty)
        #expect(mailbox.drain() == [1])
    }
}
