import Bytes
import Clockwork
import DeviceCore
import Glibc
import MQTTSNWire
import Messaging

/// A device of `DeviceCore` on a UDP socket, which waits for one thing after the other.
struct SNSession {
    private let options: SNGatewayOptions
    private let socket: SNSocket
    private var device: Device
    private var effects: [Device.Effect] = []
    /// What happened and was not asked for yet.
    private var outcomes: [Device.Effect] = []

    init(_ options: SNGatewayOptions) throws {
        self.options = options
        socket = try SNSocket(host: options.host, port: options.port)
        var settings = Device.Settings()
        // A person waits: sooner and fewer than on the air.
        settings.retryInterval = .seconds(2)
        settings.retryCount = 3
        device = Device(settings: settings)
    }

    /// CONNECT, until CONNACK.
    mutating func connect(cleanSession: Bool, keepAlive: UInt16) throws {
        let connect = Device.Connect(
            clientID: options.clientID, keepAlive: keepAlive, cleanSession: cleanSession)
        perform(.connect(connect))
        let outcome = try nextOutcome()
        guard outcome == .connected else { throw failure(outcome) }
    }

    /// DISCONNECT, if there is a connection. What was to be done is done, so a missing answer is no fault.
    mutating func disconnect() throws {
        guard device.state != .disconnected else { return }
        perform(.disconnect)
        _ = try nextOutcome()
    }

    /// Tells the device what to do; its datagrams leave.
    mutating func perform(_ command: Device.Command) {
        device.handle(command, now: MonotonicClock.now, into: &effects)
        takeEffects()
    }

    /// Lives on until the device has something to say.
    mutating func nextOutcome() throws -> Device.Effect {
        while outcomes.isEmpty {
            let datagram = try socket.receive(until: device.nextDeadline)
            if let datagram {
                datagram.withView { device.received($0, now: MonotonicClock.now, into: &effects) }
            } else {
                device.advance(to: MonotonicClock.now, into: &effects)
            }
            takeEffects()
        }
        return outcomes.removeFirst()
    }

    private mutating func takeEffects() {
        for effect in effects {
            if case .send(let bytes) = effect { socket.send(bytes) } else { outcomes.append(effect) }
        }
        effects.removeAll(keepingCapacity: true)
    }

    /// What an outcome that nobody wanted means to the user.
    func failure(_ outcome: Device.Effect) -> Failure {
        let place = "\(options.host):\(options.port) (UDP)"
        return switch outcome {
        case .refused(.congestion): .runtime("the gateway at \(place) is congested: try again later")
        case .refused(let code):
            .runtime("the gateway at \(place) refused the connection (\(code)): try another client id with -i")
        case .lost:
            .runtime("no answer from \(place): start the gateway, or name it with -h and -p")
        case .disconnected:
            .runtime(
                "the gateway at \(place) ended the connection: try again, with another client id (-i) if it stays so")
        default: .runtime("unexpected: \(outcome)")
        }
    }
}

/// The clock that deadlines are told by.
enum MonotonicClock {
    static var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Instant(nanoseconds: UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec))
    }
}

/// A UDP socket to one peer.
struct SNSocket {
    private let descriptor: Int32
    private let place: String

    init(host: String, port: UInt16) throws {
        place = "\(host):\(port) (UDP)"
        var hints = addrinfo()
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(host, String(port), &hints, &list)
        guard code == 0, let list else {
            let reason = String(cString: gai_strerror(code))
            throw Failure.runtime("cannot find '\(host)' (\(reason)): name another with -h")
        }
        defer { freeaddrinfo(list) }
        descriptor = socket(
            list.pointee.ai_family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0, Glibc.connect(descriptor, list.pointee.ai_addr, list.pointee.ai_addrlen) == 0 else {
            throw Failure.runtime("cannot reach \(place): \(String(cString: strerror(errno)))")
        }
    }

    /// Sends a datagram. A refusal shows itself when the answer is read; anything else is loss, which is repeated.
    func send(_ bytes: ByteString) {
        _ = bytes.withView { Glibc.send(descriptor, $0.memory.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }

    /// Waits for a datagram; nil when the time has come, or for nothing in particular.
    func receive(until deadline: Instant?) throws -> ByteString? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var milliseconds: Int32 = -1
        if let deadline {
            // Rounded up, so that it is not asked for in vain.
            let wait = deadline.since(MonotonicClock.now).wholeNanoseconds
            milliseconds = Int32(clamping: (wait + 999_999) / 1_000_000)
        }
        guard poll(&entry, 1, milliseconds) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: Int(UInt16.max))
        let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
        if count >= 0 { return ByteString(Array(buffer[..<count])) }
        guard errno != ECONNREFUSED else {
            throw Failure.runtime("nobody listens at \(place): start the gateway, or name it with -h and -p")
        }
        return nil
    }
}
