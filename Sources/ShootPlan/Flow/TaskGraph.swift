/// Tasks and what each of them needs to be done before: a graph without circles.
package struct TaskGraph: Sendable {
    /// One task.
    package struct Item: Hashable, Sendable {
        package let name: String
        package let after: [String]

        package init(_ name: String, after: [String] = []) { (self.name, self.after) = (name, after) }
    }

    /// In the order of their declaration.
    package let items: [Item]

    /// Takes tasks of different names; each is declared after those that it needs, so that there is no circle.
    package init(_ items: [Item]) {
        var known: Set<String> = []
        for item in items {
            precondition(item.after.allSatisfy(known.contains), "\(item.name) needs what is not declared before it")
            precondition(known.insert(item.name).inserted, "\(item.name) is declared twice")
        }
        self.items = items
    }
}
