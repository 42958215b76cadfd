import Glibc

/// Coverage-guided fuzzing with libFuzzer (`make fuzz`), and the same targets on files, to look at what was found.
///
/// `fuzz TARGET FILE…` plays each file once, `fuzz seeds TARGET FOLDER` writes what to begin with. Built for fuzzing,
/// `fuzz TARGET FOLDER… -flags…` hands everything behind the target to libFuzzer.
@main
struct Fuzz {
    static func main() {
        let arguments = CommandLine.arguments
        if arguments.count == 4, arguments[1] == "seeds", let target = FuzzTarget(rawValue: arguments[2]) {
            return writeSeeds(target, to: arguments[3])
        }
        guard arguments.count >= 3, let target = FuzzTarget(rawValue: arguments[1]) else {
            let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: "|")
            print("usage: fuzz \(names) FILE…  or  fuzz seeds TARGET FOLDER")
            exit(2)
        }
        play(target, Array(arguments.dropFirst(2)))
    }

    private static func writeSeeds(_ target: FuzzTarget, to folder: String) {
        do {
            for (index, seed) in try target.seeds().enumerated() {
                guard let file = fopen("\(folder)/seed-\(index)", "w") else { exit(1) }
                fwrite(seed, 1, seed.count, file)
                fclose(file)
            }
        } catch {
            print("\(error)")
            exit(1)
        }
    }
}

#if FUZZING
    /// libFuzzer's own main function, which calls back with each input.
    @_silgen_name("LLVMFuzzerRunDriver")
    private func runDriver(
        _ count: UnsafeMutablePointer<Int32>,
        _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>,
        _ callback: @convention(c) (UnsafePointer<UInt8>?, Int) -> Int32
    ) -> Int32

    nonisolated(unsafe) private var chosen = FuzzTarget.decoder

    extension Fuzz {
        static func play(_ target: FuzzTarget, _ arguments: [String]) {
            chosen = target
            var list = ([CommandLine.arguments[0]] + arguments).map { strdup($0) } + [nil]
            var count = Int32(arguments.count + 1)
            list.withUnsafeMutableBufferPointer { list in
                var start = list.baseAddress
                let status = runDriver(&count, &start) { bytes, count in
                    chosen.run(UnsafeRawBufferPointer(start: bytes, count: count))
                    return 0
                }
                exit(status)
            }
        }
    }
#else
    extension Fuzz {
        static func play(_ target: FuzzTarget, _ files: [String]) {
            for name in files {
                guard let bytes = contents(of: name) else {
                    print("\(name): \(String(cString: strerror(errno)))")
                    exit(1)
                }
                bytes.withUnsafeBytes { target.run($0) }
            }
            print("\(files.count) inputs, no fault")
        }

        private static func contents(of name: String) -> [UInt8]? {
            guard let file = fopen(name, "r") else { return nil }
            defer { fclose(file) }
            var bytes: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65536)
            while true {
                let count = fread(&chunk, 1, chunk.count, file)
                guard count > 0 else { return bytes }
                bytes += chunk[..<count]
            }
        }
    }
#endif
