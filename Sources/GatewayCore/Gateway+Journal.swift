package import Journal

extension Gateway {
    package var durableChanges: UInt64 { 0 }
    package mutating func appendRecords(to journal: inout Journal) {}
}
