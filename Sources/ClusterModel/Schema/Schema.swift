package import TendrilCore

/// A structural schema (apiextensions/v1, "Specifying a structural schema") made from the type that reads the objects, so
/// that the two cannot drift apart.
package struct Schema: Sendable {
    /// The schema in OpenAPI v3.
    package let document: JSONValue

    /// Makes the schema of a type.
    ///
    /// - Parameters:
    ///   - type: its fields are decoded by their names, none by hand.
    ///   - rules: what else is known of fields, by their paths: `spec.workers[].name`, `labels{}` for a map's values.
    /// - Throws: `SchemaError` for a rule without a field.
    package init<Value: Decodable>(of type: Value.Type, rules: [String: FieldRule]) throws {
        let root = SchemaNode()
        _ = try SchemaDecoder.example(type, at: root)
        var unused = Set(rules.keys)
        document = Self.document(root, path: "", rules, &unused)
        guard unused.isEmpty else {
            throw SchemaError(description: "no field: \(unused.sorted().joined(separator: ", "))")
        }
    }

    /// One of the schema's fields as a schema of its own.
    package func field(_ name: String) -> JSONValue { document["properties"]?[name] ?? [:] }

    /// An object with the schema's defaults where it says nothing, as the API server fills them in.
    package func fillingIn(_ value: JSONValue) -> JSONValue { Self.fill(value, document) }

    private static func fill(_ value: JSONValue, _ schema: JSONValue) -> JSONValue {
        switch value {
        case .object(var fields):
            if case .object(let properties)? = schema["properties"] {
                for (name, inner) in properties {
                    if let given = fields[name] ?? inner["default"] { fields[name] = fill(given, inner) }
                }
            }
            return .object(fields)
        case .array(let items):
            guard let inner = schema["items"] else { return value }
            return .array(items.map { fill($0, inner) })
        default: return value
        }
    }

    private static func document(
        _ node: SchemaNode,
        path: String,
        _ rules: [String: FieldRule],
        _ unused: inout Set<String>
    ) -> JSONValue {
        var fields: [String: JSONValue] = [:]
        switch node.kind {
        case .object:
            fields["type"] = "object"
            var properties: [String: JSONValue] = [:]
            var required: [JSONValue] = []
            for field in node.fields {
                let inner = path.isEmpty ? field.name : "\(path).\(field.name)"
                let schema = document(field.node, path: inner, rules, &unused)
                properties[field.name] = schema
                // What has a default is filled in before anything is judged.
                if !field.isOptional, schema["default"] == nil { required.append(.string(field.name)) }
            }
            fields["properties"] = .object(properties)
            if !required.isEmpty { fields["required"] = .array(required) }
        case .array:
            fields["type"] = "array"
            fields["items"] = node.element.map { document($0, path: "\(path)[]", rules, &unused) }
        case .map:
            fields["type"] = "object"
            fields["additionalProperties"] = node.element.map { document($0, path: "\(path){}", rules, &unused) }
        case .string: fields["type"] = "string"
        case .bytes: fields = ["type": "string", "format": "byte"]
        case .integer: fields["type"] = "integer"
        case .number: fields["type"] = "number"
        case .boolean: fields["type"] = "boolean"
        case .anything: fields = ["type": "object", "x-kubernetes-preserve-unknown-fields": true]
        case .enumeration(let texts): fields = ["type": "string", "enum": .array(texts.map { .string($0) })]
        }
        if let rule = rules[path] {
            unused.remove(path)
            rule.add(to: &fields)
        }
        return .object(fields)
    }
}

extension FieldRule {
    fileprivate func add(to fields: inout [String: JSONValue]) {
        fields["description"] = .string(description)
        if let pattern { fields["pattern"] = .string(pattern) }
        if let minimum { fields["minimum"] = .integer(minimum) }
        if let maximum { fields["maximum"] = .integer(maximum) }
        if let maximumCount {
            let counts = ["array": "maxItems", "object": "maxProperties"]
            fields[fields["type"]?.text.flatMap { counts[$0] } ?? "maxLength"] = .integer(maximumCount)
        }
        if let fallback { fields["default"] = fallback }
    }
}

/// A kind of object that we define (apiextensions/v1 CustomResourceDefinition).
package struct ResourceDefinition: Sendable {
    /// A column of `kubectl get`.
    package struct Column: Sendable {
        package let name: String
        package let path: String
        package let type: String

        package init(_ name: String, _ path: String, type: String = "string") {
            (self.name, self.path, self.type) = (name, path, type)
        }
    }

    package let kind: String
    package let resource: ResourceKind
    package let shortNames: [String]
    package let columns: [Column]
    package let schema: Schema

    /// The object that defines it, valid from Kubernetes 1.16 on.
    package var document: JSONValue {
        let columns = columns + [Column("Age", ".metadata.creationTimestamp", type: "date")]
        let version: JSONValue = [
            "name": .string(resource.version), "served": true, "storage": true, "subresources": ["status": [:]],
            "additionalPrinterColumns": .array(
                columns.map {
                    ["name": .string($0.name), "jsonPath": .string($0.path), "type": .string($0.type)]
                }
            ),
            "schema": [
                "openAPIV3Schema": [
                    "type": "object", "required": ["spec"],
                    "properties": ["spec": schema.field("spec"), "status": schema.field("status")],
                ]
            ],
        ]
        return [
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": ["name": .string("\(resource.plural).\(resource.group)")],
            "spec": [
                "group": .string(resource.group),
                "scope": .string(resource.isNamespaced ? "Namespaced" : "Cluster"),
                "names": [
                    "plural": .string(resource.plural), "singular": .string(kind.lowercased()),
                    "kind": .string(kind), "listKind": .string("\(kind)List"),
                    "shortNames": .array(shortNames.map { .string($0) }),
                ],
                "versions": [version],
            ],
        ]
    }
}
