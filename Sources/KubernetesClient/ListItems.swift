/// Takes the document of a list apart before anything of it is decoded, so that an item that cannot be read spoils no other.
enum ListItems {
    /// The document without its items, and the bytes of each of them; `nil` where it has no list called `items` at its top.
    static func split(_ bytes: [UInt8]) -> (rest: [UInt8], items: [[UInt8]])? {
        var scanner = Scanner(bytes: bytes)
        guard let start = scanner.findItems() else { return nil }
        var items: [[UInt8]] = []
        var begin: Int?
        while let byte = scanner.next() {
            switch (byte, scanner.depth) {
            case (0x5B, 3), (0x7B, 3): begin = scanner.position - 1
            case (0x5D, 1): return (Array(bytes[..<start]) + Array(bytes[(scanner.position - 1)...]), items)
            case (0x5D, 2), (0x7D, 2):
                if let from = begin { items.append(Array(bytes[from..<scanner.position])) }
                begin = nil
            default: break
            }
        }
        return nil
    }

    /// Goes through JSON from bracket to bracket, past everything that stands in texts.
    private struct Scanner {
        let bytes: [UInt8]
        private(set) var position = 0
        private(set) var depth = 0

        init(bytes: [UInt8]) { self.bytes = bytes }

        /// The next bracket, with the depth behind it.
        mutating func next() -> UInt8? {
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                switch byte {
                case 0x22: passText()
                case 0x5B, 0x7B:
                    depth += 1
                    return byte
                case 0x5D, 0x7D:
                    depth -= 1
                    return byte
                default: break
                }
            }
            return nil
        }

        /// Goes behind the bracket that opens the list called `items`, and returns that place.
        mutating func findItems() -> Int? {
            while position < bytes.count {
                let byte = bytes[position]
                position += 1
                switch byte {
                case 0x5B, 0x7B: depth += 1
                case 0x5D, 0x7D: depth -= 1
                case 0x22:
                    let start = position
                    passText()
                    guard depth == 1, bytes[start..<position].elementsEqual(Array("items\"".utf8)) else { continue }
                    passSpace()
                    guard position < bytes.count, bytes[position] == 0x3A else { continue }
                    position += 1
                    passSpace()
                    guard position < bytes.count, bytes[position] == 0x5B else { return nil }
                    position += 1
                    depth += 1
                    return position
                default: break
                }
            }
            return nil
        }

        /// Goes behind the end of the text that has just begun.
        private mutating func passText() {
            while position < bytes.count {
                let byte = bytes[position]
                position += byte == 0x5C ? 2 : 1
                if byte == 0x22 { return }
            }
            position = min(position, bytes.count)
        }

        private mutating func passSpace() {
            while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) { position += 1 }
        }
    }
}
