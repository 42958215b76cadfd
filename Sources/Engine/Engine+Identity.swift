package import Bytes
internal import ConnectionCore

extension Engine {
    /// What secures a connection has shown who the client is: before the connection's first bytes.
    package mutating func connectionIdentified(_ connection: Int, userName: ByteString) {
        connections.identified(connection, userName: userName)
    }
}
