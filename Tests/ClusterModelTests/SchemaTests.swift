import ClusterModel
import FoundationEssentials
import TendrilCore
import Testing

@Suite("Schema")
struct SchemaTests {
    private struct Inner: Codable {
        var text: String
        var number: Int?
    }

    private enum Colour: String, SchemaEnumeration {
        case red
        case blue
    }

    private struct Outer: Codable {
        var list: [Inner]
        var map: [String: Inner]?
        var colour: Colour
        var anything: JSONValue?
        var flag: Bool
        var bytes: Data?
    }

    @Test("is what the type decodes")
    func followsTheType() throws {
        let inner: JSONValue = [
            "type": "object", "required": ["text"],
            "properties": ["text": ["type": "string"], "number": ["type": "integer"]],
        ]
        let expected: JSONValue = [
            "type": "object", "required": ["list", "colour"],
            "properties": [
                "list": ["type": "array", "items": inner],
                "map": ["type": "object", "additionalProperties": inner, "maxProperties": 3, "description": "A map."],
                "colour": ["type": "string", "enum": ["red", "blue"]],
                "anything": ["type": "object", "x-kubernetes-preserve-unknown-fields": true],
                "flag": ["type": "boolean", "default": true, "description": "A flag."],
                "bytes": ["type": "string", "format": "byte"],
            ],
        ]
        let rules = ["flag": FieldRule("A flag.", default: true), "map": FieldRule("A map.", maximumCount: 3)]
        #expect(try Schema(of: Outer.self, rules: rules).document == expected)
    }

    @Test("refuses a rule for a field that is not there")
    func refusesStrayRules() {
        #expect(throws: SchemaError.self) { try Schema(of: Outer.self, rules: ["list[].txt": FieldRule("x")]) }
    }

    @Test("fills in defaults within lists and objects, and keeps what is said")
    func fillsIn() throws {
        let schema = try Schema(
            of: Outer.self,
            rules: [
                "flag": FieldRule("x", default: true), "list[].number": FieldRule("x", default: 7),
            ]
        )
        let given: JSONValue = ["list": [["text": "a"], ["text": "b", "number": 1]], "colour": "red"]
        let filled: JSONValue = [
            "list": [["text": "a", "number": 7], ["text": "b", "number": 1]], "colour": "red", "flag": true,
        ]
        #expect(schema.fillingIn(given) == filled)
    }

    @Test("tells all that is wrong with an object, and limits where they are asked for")
    func judges() throws {
        let rules = ["list[].number": FieldRule("x", minimum: 2, maximum: 3), "list": FieldRule("x", maximumCount: 2)]
        let schema = try Schema(of: Outer.self, rules: rules)
        let right: JSONValue = [
            "list": [["text": "a", "number": 3], ["text": "b"]], "colour": "red", "flag": false, "map": .null,
            "anything": ["x": 1],
        ]
        #expect(schema.problems(in: right, withLimits: true).isEmpty)
        let wrong: JSONValue = [
            "list": [["text": 1, "number": 4], ["txt": "b", "number": "2"], ["text": "c", "number": 1]],
            "colour": "green", "map": ["k": ["text": "x", "y": 1]], "anything": 1,
        ]
        let expected = [
            "flag: is missing", "anything: is not a mapping", "colour: green is none of red, blue",
            "list[0].text: is not a string", "list[1].text: is missing", "list[1].number: is not a whole number",
            "list[1].txt: is no field", "map.k.y: is no field",
        ]
        #expect(schema.problems(in: wrong, withLimits: false).map(\.description) == expected)
        let limits = Set(schema.problems(in: wrong, withLimits: true).map(\.description)).subtracting(expected)
        let beyond: Set = [
            "list: has 3 entries, more than 2", "list[0].number: 4 is more than 3", "list[2].number: 1 is less than 2",
        ]
        #expect(limits == beyond)
    }

    @Test("knows all metadata that an API server gives out, but for what no apply takes")
    func metadata() throws {
        let owner: JSONValue = [
            "apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b", "controller": true,
            "blockOwnerDeletion": false,
        ]
        let exported: JSONValue = [
            "name": "one", "generateName": "o", "namespace": "demo", "uid": "c", "resourceVersion": "1",
            "generation": 1, "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-01T00:00:00Z",
            "deletionGracePeriodSeconds": 0, "finalizers": ["a"], "labels": ["a": "b"], "annotations": ["a": "b"],
            "ownerReferences": [owner],
        ]
        let problems = try Schema(of: ObjectMetadata.self, rules: [:]).problems(in: exported, withLimits: true)
        #expect(problems.isEmpty, "\(problems.map(\.description))")
    }

    @Test("every kind has a definition whose rules all have a field")
    func definitions() throws {
        for definition in [try Shoot.definition(), try Seed.definition(), try NodeBootstrap.definition()] {
            #expect(definition.document["spec"]?["names"]?["kind"] == .string(definition.kind))
            #expect(definition.schema.field("spec")["type"] == "object")
            #expect(definition.schema.field("status")["type"] == "object")
        }
    }

    @Test("the reference page is what the types say")
    func referencePage() throws {
        let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/reference.md")
        let page = String(decoding: try Data(contentsOf: path), as: UTF8.self)
        let definitions = [try Shoot.definition(), try Seed.definition(), try NodeBootstrap.definition()]
        #expect(page == ReferencePage.text(definitions), "make docs/reference.md anew (see its head)")
    }
}
