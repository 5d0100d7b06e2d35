import ClusterModel
import Foundation
import NodePlan
import ShootPlan
import TendrilCore
import Testing

@Suite("docs/configuration.md")
struct DocumentedTests {
    /// What stands for itself in every document, or is explained as a whole elsewhere.
    private static let common: Set = ["apiVersion", "kind", "metadata", "spec"]

    /// The fields of a type by their paths, two levels deep.
    private func fields<Value: Decodable>(_ type: Value.Type) throws -> [(parent: String, name: String)] {
        func names(_ schema: JSONValue) -> [String] {
            guard case .object(let properties)? = (schema["items"] ?? schema)["properties"] else { return [] }
            return properties.keys.sorted()
        }
        let schema = try Schema(of: type, rules: [:])
        return names(schema.document).filter { !Self.common.contains($0) }.flatMap { name in
            [("", name)] + names(schema.field(name)).map { (name, $0) }
        }
    }

    private func expect(_ fields: [(parent: String, name: String)]) throws {
        let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
        let page = try String(contentsOf: root.appending(path: "docs/configuration.md"), encoding: .utf8)
        for (parent, name) in fields {
            let forms = parent.isEmpty ? ["`\(name)"] : ["`\(parent).\(name)", "`\(parent)[].\(name)", "`.\(name)"]
            let isNamed = forms.contains { form in
                page.ranges(of: form).contains { range in
                    range.upperBound < page.endIndex && !page[range.upperBound].isLetter
                }
            }
            #expect(isNamed, "\(parent) \(name)")
        }
        #expect(!fields.isEmpty)
    }

    @Test("names every field of the coordinator's configuration")
    func coordinator() throws {
        let grouped: Set = ["name"]
        try expect(
            try fields(CoordinatorConfiguration.self).filter {
                $0.parent != "machineImages" || !grouped.contains($0.name)
            }
        )
    }

    @Test("names every field of the agent's configuration")
    func agent() throws { try expect(try fields(AgentConfiguration.self)) }
}
