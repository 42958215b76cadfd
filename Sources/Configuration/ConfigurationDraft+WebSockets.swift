internal import Bytes

/// Listeners with `protocol websockets`.
extension ConfigurationDraft {
    /// `websockets_origin https://plant.example`: as browsers say it, without a path; `null` is what they say for
    /// files.
    mutating func addWebSocketOrigin(_ statement: Statement) {
        let words = withoutComment(statement)
        guard words.count == 1, let origin = words.first else {
            report(.error, at: statement.location, "\"websockets_origin\" takes one origin a line")
            return
        }
        guard origin == "null" || Self.isOrigin(origin) else {
            report(
                .error, at: statement.location,
                "\(origin.quoted) is no origin: write it as https://plant.example or http://10.0.0.7:8080, without a "
                    + "path")
            return
        }
        listener.webSocket.origins.append(ByteString(origin))
    }

    private static func isOrigin(_ text: String) -> Bool {
        guard let colon = text.firstRange(of: "://"), colon.lowerBound > text.startIndex else { return false }
        let host = text[colon.upperBound...]
        return !host.isEmpty && !host.contains { $0 == "/" || $0 == "*" || $0 == "?" }
    }

    /// A listener that any page of any site may use says so: the browsers of people who reach it do not ask them.
    mutating func webSocketSettings(of draft: ListenerDraft) -> WebSocketSettings {
        if draft.webSocket.origins.isEmpty, let location = draft.location {
            report(
                .note, at: location,
                "listener \(draft.port): pages of every web site may connect; name those that shall with "
                    + "`websockets_origin https://plant.example`")
        }
        return draft.webSocket
    }

    /// Directives of WebSockets in the section of another protocol.
    mutating func reportWebSocketDirectives(_ draft: ListenerDraft) {
        for statement in draft.webSocketsOnly {
            report(
                .error, at: statement.location,
                "\(statement.name.quoted) belongs to a listener with `protocol websockets`")
        }
    }
}
