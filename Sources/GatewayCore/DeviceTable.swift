internal import Bytes
internal import Messaging

/// All device records, by slot, by address and by client id.
struct DeviceTable {
    private var devices: [Device] = []
    private var freeSlots: [Int] = []
    private var byPath = SlotIndex()
    private var byName = SlotIndex()
    private let hasher: KeyHasher
    /// The wireless nodes that records and claims have in their paths [D-48].
    var nodes: NodeTable

    init(hasher: KeyHasher) {
        self.hasher = hasher
        nodes = NodeTable(hasher: hasher)
    }

    /// How many records there are.
    var count: Int { devices.count - freeSlots.count }

    /// Every slot there ever was; some may be free.
    var slots: Range<Int> { 0..<devices.count }

    /// Whether a record is in the slot. Client ids are never empty, so that an empty one marks a free slot.
    func contains(_ slot: Int) -> Bool {
        slot >= 0 && slot < devices.count && !devices[slot].clientID.isEmpty
    }

    /// The record in a slot that is in use.
    subscript(slot: Int) -> Device {
        @inline(__always) get { devices[slot] }
        @inline(__always) _modify { yield &devices[slot] }
    }

    /// The device that is reached there.
    @inline(__always)
    func slot(at path: DatagramPath) -> Int? {
        byPath.slot(hash: hasher.hash(path)) {
            devices[$0].path.remote == path.remote && devices[$0].path.listener == path.listener
                && devices[$0].path.node == path.node
        }
    }

    /// The device of that name.
    func slot(named name: ByteView) -> Int? {
        byName.slot(hash: hasher.hash(name)) { slot in
            devices[slot].clientID.withView { $0 == name }
        }
    }

    /// Adds a record, which must have a name that no other has, and returns its slot.
    mutating func insert(_ device: Device) -> Int {
        let hash = device.clientID.withView(hasher.hash)
        nodes.moveIn(device.path)
        let slot: Int
        if let free = freeSlots.popLast() {
            slot = free
            devices[slot] = device
        } else {
            slot = devices.count
            devices.append(device)
        }
        byName.insert(hash: hash, slot: slot)
        return slot
    }

    /// Puts a record back where it was: into a slot that is free, and a name that no other has.
    mutating func insert(_ device: Device, at slot: Int) {
        nodes.moveIn(device.path)
        if slot < devices.count { freeSlots.removeAll { $0 == slot } }
        var free = device
        free.clientID = ByteString()
        while devices.count < slot {
            freeSlots.append(devices.count)
            devices.append(free)
        }
        if slot < devices.count { devices[slot] = device } else { devices.append(device) }
        byName.insert(hash: device.clientID.withView(hasher.hash), slot: slot)
    }

    /// Forgets the record.
    mutating func remove(_ slot: Int) {
        unbind(slot)
        nodes.moveOut(devices[slot].path)
        byName.remove(hash: devices[slot].clientID.withView(hasher.hash), slot: slot)
        devices[slot].clientID = ByteString()
        devices[slot].topics = TopicRegistry()
        devices[slot].transactions = []
        freeSlots.append(slot)
    }

    /// From now on datagrams from there belong to this device. Nobody else may be bound to the address.
    mutating func bind(_ slot: Int, to path: DatagramPath) {
        unbind(slot)
        nodes.moveIn(path)
        nodes.moveOut(devices[slot].path)
        devices[slot].path = path
        devices[slot].isBound = true
        byPath.insert(hash: hasher.hash(path), slot: slot)
    }

    /// The device's address no longer leads to it.
    mutating func unbind(_ slot: Int) {
        guard devices[slot].isBound else { return }
        devices[slot].isBound = false
        byPath.remove(hash: hasher.hash(devices[slot].path), slot: slot)
    }
}
