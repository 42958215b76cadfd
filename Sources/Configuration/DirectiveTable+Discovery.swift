extension DirectiveTable {
    /// How devices find a listener.
    static let discoveryRows: [Directive] = [
        .own("multicast_group", in: .deviceListener, "ADDRESS [INTERFACE ...]") { $0.addMulticastGroup($1) },
        .number("advertise_interval", in: .deviceListener, 1...65_535, "seconds") {
            $0.listener.devices.advertiseIntervalSeconds = UInt16($1)
        },
        .number("multicast_hops", in: .deviceListener, 1...255) {
            $0.listener.devices.multicastHops = UInt8($1)
        },
    ]
}
