/// A part that makes the value it stands in one that is always passed by address.
///
/// Swift hands a struct to a method that does not change it as a value, and of a large struct that makes a copy on the
/// stack, each time. A struct with an existential inside has no such way: its address is handed on. What that gains
/// stands in docs/adr/0002-build-settings.md.
package struct PassedByAddress: Sendable {
    private let nothing: (any Sendable)? = nil

    package init() {}
}
