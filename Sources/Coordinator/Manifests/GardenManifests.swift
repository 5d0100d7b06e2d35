internal import ClusterModel
package import TendrilCore

/// What a garden needs before its first shoot.
package enum GardenManifests {
    /// The definitions of our kinds.
    package static func all() throws -> [JSONValue] {
        [try Shoot.definition().document, try Seed.definition().document]
    }
}
