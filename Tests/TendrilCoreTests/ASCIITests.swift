import TendrilCore
import Testing

@Suite("Bytes in ASCII")
struct ASCIITests {
    @Test("are what they are, and beyond it nothing")
    func kinds() {
        let lowercase = "abcdefghijklmnopqrstuvwxyz"
        for byte in UInt8.min...UInt8.max {
            #expect(byte.isDigit == "0123456789".utf8.contains(byte), "\(byte)")
            #expect(byte.isLowercase == lowercase.utf8.contains(byte), "\(byte)")
            #expect(byte.isLetter == (lowercase + lowercase.uppercased()).utf8.contains(byte), "\(byte)")
            #expect(byte.isLowercaseHex == "0123456789abcdef".utf8.contains(byte), "\(byte)")
            #expect(byte.isVisible == (byte > 0x20 && byte < 0x7F), "\(byte)")
            #expect(byte.isPrintable == (byte.isVisible || byte == 0x20), "\(byte)")
        }
    }
}

@Suite("Problems of a configuration")
struct ConfigurationProblemTests {
    @Test("are those that were noted, in that order, and none where all holds")
    func noted() {
        var problems: [ConfigurationProblem] = []
        problems.require(true, "a", "is well")
        problems.require(false, "b", "is empty")
        problems.add("", "is not there")
        #expect(problems.line == "b: is empty; is not there")
        #expect(ConfigurationError("c", "is odd") == ConfigurationError([ConfigurationProblem("c", "is odd")]))
    }
}
