/// Finds the name that somebody meant.
enum NearestName {
    /// Names longer than this are nobody's typing error, and comparing them would cost.
    private static let countMax = 40

    /// The name of `names` that is fewest edits away from `word`, the first of equals; nil where even that one has
    /// little in common with it. Letters' case costs nothing.
    static func of(_ word: String, in names: [String]) -> String? {
        let typed = Array(word.lowercased().utf8)
        guard !typed.isEmpty, typed.count <= countMax else { return nil }
        var best: (name: String, distance: Int)?
        for name in names {
            let farthest = max(1, min(typed.count, name.utf8.count) / 3)
            guard abs(typed.count - name.utf8.count) <= farthest else { continue }
            let distance = editDistance(typed, Array(name.utf8))
            if distance <= farthest, distance < best?.distance ?? Int.max { best = (name, distance) }
        }
        return best?.name
    }

    /// How many bytes must be inserted, left out, replaced or swapped with their neighbour to come from one to the
    /// other: Damerau-Levenshtein, in the variant that edits no place twice.
    static func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var beforeLast: [Int] = []
        var last = Array(0...right.count)
        for row in 0..<left.count {
            var current = [row + 1]
            for column in 0..<right.count {
                let cost = left[row] == right[column] ? 0 : 1
                var distance = min(last[column + 1] + 1, current[column] + 1, last[column] + cost)
                if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
                    distance = min(distance, beforeLast[column - 1] + 1)
                }
                current.append(distance)
            }
            beforeLast = last
            last = current
        }
        return last[right.count]
    }
}
