internal import CLinux
internal import Glibc
package import Messaging

/// A system call that failed: which, on what address, why, and what to do about it.
@frozen
package struct ReactorError: Error, Hashable, Sendable {
    /// The call that failed.
    package let call: Call
    /// The value of `errno`; for `getaddrinfo` its own negative code.
    package let code: Int32
    /// The address concerned; unspecified if there was none.
    package let address: PeerAddress
    /// The name of the interface concerned; empty if there was none.
    package let interface: String

    /// The calls that the reactor makes.
    package enum Call: String, Sendable {
        case accept4, bind, epoll_create1, epoll_ctl, epoll_wait, eventfd, getaddrinfo, getsockname, listen, read
        case pthreadCreate = "pthread_create"
        case ifNameToIndex = "if_nametoindex"
        /// `setsockopt`, which says nothing.
        case joinGroup = "joining the multicast group"
        case send, sendmsg, sendmmsg, setsockopt, signalfd, sigprocmask, socket
    }

    /// The same about an interface.
    package func on(interface: String) -> ReactorError {
        ReactorError(call, code: code, address: address, interface: interface)
    }

    /// Whether the system had no room at the moment, which says nothing about the way.
    package var isMomentary: Bool { [EAGAIN, EINTR, ENOBUFS, ENOMEM].contains(code) }

    package init(_ call: Call, code: Int32, address: PeerAddress = .unspecified, interface: String = "") {
        self.call = call
        self.code = code
        self.address = address
        self.interface = interface
    }
}

extension ReactorError: CustomStringConvertible {
    /// One line: `bind 127.0.0.1:1883: Address already in use (another program listens there: …)`.
    package var description: String {
        let on = interface.isEmpty ? "" : " \(interface)"
        let place = (address.isUnspecified && address.port == 0 ? "" : " \(address)") + on
        let reason = String(cString: call == .getaddrinfo ? clinux_lookup_error(code) : clinux_error(code))
        let line = "\(call.rawValue)\(place): \(reason)"
        return advice.map { "\(line) (\($0))" } ?? line
    }

    /// What an operator can do, where that is known.
    package var advice: String? {
        if call == .getaddrinfo { return "check the name, or give the numeric address" }
        if call == .ifNameToIndex { return "no interface of this machine has that name: see 'ip link'" }
        switch code {
        case EADDRINUSE: return "another program listens there: stop it or choose another port"
        case EADDRNOTAVAIL: return "no interface of this machine has that address: see 'ip address'"
        case EACCES: return "ports below 1024 need CAP_NET_BIND_SERVICE: grant it or choose a higher port"
        case ENODEV, ENETUNREACH: return "the system knows no way to that group: name an interface"
        case EAFNOSUPPORT: return "this machine does not speak that address family: check that IPv6 is enabled"
        case EMFILE: return "this process may open no more files: raise LimitNOFILE or 'ulimit -n'"
        case ENFILE: return "the system may open no more files: raise sysctl fs.file-max"
        case ENOMEM, ENOBUFS: return "the system is out of memory for sockets: add memory or lower the limits"
        default: return nil
        }
    }
}
