internal import ClusterModel
package import TendrilCore

/// What a garden needs before its first shoot.
package enum GardenManifests {
    /// The definitions of our kinds.
    package static func all() throws -> [JSONValue] {
        [try Shoot.definition().document, try Seed.definition().document]
    }

    /// A page about every field of our kinds.
    package static func reference() throws -> String {
        ReferencePage.text([try Shoot.definition(), try Seed.definition(), try NodeBootstrap.definition()])
    }
}
