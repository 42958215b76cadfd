extension ConfigurationDraft {
    /// Ends the reading: decides what was left open and completes `configuration`.
    mutating func finish(mainFile: String) {
        if configuration.logging.destinations.isEmpty, hasMissingLogDestination {
            configuration.logging.destinations = [.stderr]
        }
        finishPersistence()
        checkLimits(mainFile)
        checkRedirection(mainFile)
        // A file that could not be read has no listeners to speak of.
        guard !isUnreadable else { return }
        configuration.listeners = finishListeners(mainFile: mainFile)
    }

    /// Whether all there is to say is that there is no file.
    private var isUnreadable: Bool {
        diagnostics.count == 1 && diagnostics[0].severity == .error && diagnostics[0].location.line == 0
    }

    /// Limits that contradict each other.
    private mutating func checkLimits(_ mainFile: String) {
        let limits = configuration.limits
        let place = FileLocation(file: mainFile, line: 0)
        if limits.packetBytesMax > limits.writeBufferBytesMax {
            report(
                .warning, at: place,
                "max_packet_size, \(limits.packetBytesMax), is larger than write_buffer_bytes, "
                    + "\(limits.writeBufferBytesMax): the largest messages cannot be handed on")
        }
        if limits.queuedBytesMax > limits.queuedTotalBytesMax {
            report(
                .note, at: place,
                "max_queued_total_bytes, \(limits.queuedTotalBytesMax), is smaller than max_queued_bytes and is what "
                    + "bounds each queue")
        }
    }
}
