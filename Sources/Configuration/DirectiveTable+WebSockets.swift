extension DirectiveTable {
    /// What only a listener for WebSockets has.
    static let webSocketRows: [Directive] = [
        .own("websockets_origin", in: .webSocketListener, "ORIGIN") { $0.addWebSocketOrigin($1) }
    ]
}
