/// JSON that is nested too deep.
package struct JSONDepthError: Error, CustomStringConvertible {
    package var description: String { "nested deeper than \(JSONDepth.maximum) levels" }
}

/// Bounds the nesting of JSON before a recursive decoder sees it.
package enum JSONDepth {
    static let maximum = 64

    package static func check(_ bytes: [UInt8]) throws(JSONDepthError) {
        var depth = 0
        var (isText, isEscaped) = (false, false)
        for byte in bytes {
            if isText {
                if isEscaped {
                    isEscaped = false
                } else if byte == 0x5C {
                    isEscaped = true
                } else if byte == 0x22 {
                    isText = false
                }
                continue
            }
            switch byte {
            case 0x22: isText = true
            case 0x5B, 0x7B:
                depth += 1
                if depth > maximum { throw JSONDepthError() }
            case 0x5D, 0x7D: depth -= 1
            default: break
            }
        }
    }
}
