// swift-tools-version: 6.3
import PackageDescription

/// Every target: Swift 6 rules, no warnings, imports private unless declared otherwise.
let common: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
]

/// Targets that touch no C: an unsafe construct here does not build unless it says so.
let pure: [SwiftSetting] = common + [.strictMemorySafety()]

/// Programs bring the Swift runtime with them when they are released.
///
/// It is said to the linker alone, so that tests are built from the same objects. Within a program the thread sanitizer does not
/// see how the runtime synchronizes.
let program: [LinkerSetting] = [
    .unsafeFlags(
        ["-static-stdlib", "-l_FoundationCollections", "-l_FoundationCShims"],
        .when(configuration: .release)
    )
]

let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")

let package = Package(
    name: "tendril",
    products: [
        .executable(name: "tendril-vpn", targets: ["tendril-vpn"]),
        .executable(name: "tendril-agent", targets: ["tendril-agent"]),
        .executable(name: "tendril-coordinator", targets: ["tendril-coordinator"]),
        .executable(name: "tendril", targets: ["tendril"]),
        .executable(name: "tendril-bench", targets: ["tendril-bench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    ],
    targets: [
        // C libraries of the distribution, and the kernel headers that the Glibc module leaves out.
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CLibmnl", pkgConfig: "libmnl", providers: [.apt(["libmnl-dev"])]),
        .systemLibrary(name: "CLibnftnl", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev"])]),
        .systemLibrary(name: "CLibyaml", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .systemLibrary(name: "CLibevent", pkgConfig: "libevent", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CLibeventTLS", pkgConfig: "libevent_openssl", providers: [.apt(["libevent-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .target(name: "CTendrilShims"),

        // 0: values.
        .target(name: "TendrilCore", swiftSettings: pure),

        // 1: one call deep into the kernel or a C library.
        .target(name: "LinuxSystem", dependencies: ["TendrilCore", "CTendrilShims"], swiftSettings: common),
        .target(name: "TLSEngine", dependencies: ["TendrilCore", "COpenSSL"], swiftSettings: common),
        .target(
            name: "Netlink",
            dependencies: ["TendrilCore", "LinuxSystem", "CLibmnl", "CLibnftnl"],
            swiftSettings: common
        ),
        .target(name: "HTTPModel", dependencies: ["TendrilCore"], swiftSettings: common),
        .target(
            name: "HTTPTransfer",
            dependencies: ["TendrilCore", "HTTPModel", "LinuxSystem", "CCurl"],
            swiftSettings: common
        ),
        .target(
            name: "EventTransfer",
            dependencies: ["TendrilCore", "HTTPModel", "LinuxSystem", "TLSEngine", "CLibeventTLS"],
            swiftSettings: common
        ),
        .target(name: "StrictYAML", dependencies: ["TendrilCore", "CLibyaml"], swiftSettings: common),

        // 2: decisions without input or output.
        .target(name: "ClusterModel", dependencies: ["TendrilCore"], swiftSettings: pure),
        .target(
            name: "NodePlan",
            dependencies: ["TendrilCore", "ClusterModel"],
            resources: [.embedInCode("UserData/tendril-agent.service")],
            swiftSettings: pure
        ),
        .target(
            name: "ShootPlan",
            dependencies: ["TendrilCore", "ClusterModel", "NodePlan"],
            resources: [
                .embedInCode("Terraform/network.tf"), .embedInCode("Terraform/machines.tf"),
                // Links to deploy/coordinator.
                .embedInCode("Installation/namespace.yaml"), .embedInCode("Installation/access.yaml"),
                .embedInCode("Installation/priority.yaml"), .embedInCode("Installation/deployment.yaml"),
            ],
            swiftSettings: pure
        ),
        .target(name: "TunnelProtocol", dependencies: ["TendrilCore"], swiftSettings: pure),

        // 3: shells around the decisions.
        .target(
            name: "TunnelDataPlane",
            dependencies: ["TendrilCore", "LinuxSystem", "TLSEngine", "TunnelProtocol"],
            swiftSettings: common
        ),
        .target(
            name: "KubernetesClient",
            dependencies: ["TendrilCore", "ClusterModel", "HTTPModel", "LinuxSystem", "StrictYAML"],
            swiftSettings: common
        ),
        .target(
            name: "Observability",
            dependencies: ["TendrilCore", "LinuxSystem", "CLibevent", logging],
            swiftSettings: common
        ),

        // 4: products as libraries.
        .target(
            name: "TunnelDaemon",
            dependencies: [
                "TendrilCore", "LinuxSystem", "TLSEngine", "Netlink", "StrictYAML", "TunnelProtocol",
                "TunnelDataPlane", "Observability", "CLibeventTLS", "ClusterModel", "KubernetesClient",
                "EventTransfer", logging,
            ],
            swiftSettings: common
        ),

        .target(
            name: "NodeAgent",
            dependencies: [
                "TendrilCore", "LinuxSystem", "Netlink", "TLSEngine", "StrictYAML", "HTTPModel", "HTTPTransfer",
                "ClusterModel", "NodePlan", "KubernetesClient", "Observability", logging,
            ],
            swiftSettings: common
        ),

        .target(
            name: "Coordinator",
            dependencies: [
                "TendrilCore", "LinuxSystem", "TLSEngine", "StrictYAML", "HTTPModel", "HTTPTransfer", "ClusterModel",
                "NodePlan", "ShootPlan", "KubernetesClient", "Observability", "CLibeventTLS", logging,
            ],
            swiftSettings: common
        ),

        // 5: programs, and how each of them ends.
        .target(
            name: "CommandSupport",
            dependencies: ["TendrilCore", "LinuxSystem", argumentParser],
            swiftSettings: common
        ),
        .executableTarget(
            name: "tendril-agent",
            dependencies: [
                "TendrilCore", "NodeAgent", "NodePlan", "ClusterModel", "LinuxSystem", "StrictYAML", "CommandSupport",
                argumentParser,
            ],
            swiftSettings: common,
            linkerSettings: program
        ),
        .executableTarget(
            name: "tendril-coordinator",
            dependencies: [
                "TendrilCore", "Coordinator", "NodePlan", "ShootPlan", "ClusterModel", "KubernetesClient",
                "HTTPTransfer", "TLSEngine", "LinuxSystem", "CommandSupport", argumentParser,
            ],
            swiftSettings: common,
            linkerSettings: program
        ),
        .executableTarget(
            name: "tendril",
            dependencies: [
                "TendrilCore", "ClusterModel", "ShootPlan", "KubernetesClient", "HTTPTransfer", "LinuxSystem",
                "StrictYAML", "CommandSupport", argumentParser,
            ],
            swiftSettings: common,
            linkerSettings: program
        ),
        .executableTarget(
            name: "tendril-vpn",
            dependencies: ["TendrilCore", "LinuxSystem", "TunnelDaemon", "CommandSupport", argumentParser],
            swiftSettings: common,
            linkerSettings: program
        ),

        // Tests, and what they measure with.
        .executableTarget(
            name: "tendril-bench",
            dependencies: [
                "TendrilCore", "LinuxSystem", "TLSEngine", "TunnelProtocol", "CTendrilShims", argumentParser,
            ],
            path: "Tests/Benchmarks/tendril-bench",
            swiftSettings: common,
            linkerSettings: program
        ),
        .target(name: "TestSupport", dependencies: ["TendrilCore"], path: "Tests/TestSupport", swiftSettings: common),
        .target(
            name: "ShootSamples",
            dependencies: ["ShootPlan", "NodePlan", "ClusterModel", "TendrilCore"],
            path: "Tests/ShootSamples",
            swiftSettings: common
        ),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        .testTarget(name: "TendrilCoreTests", dependencies: ["TendrilCore", "TestSupport"], swiftSettings: common),
        .testTarget(
            name: "TunnelProtocolTests",
            dependencies: ["TunnelProtocol", "TendrilCore", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "TLSEngineTests",
            dependencies: ["TLSEngine", "TunnelProtocol", "TendrilCore", "COpenSSL"],
            swiftSettings: common
        ),
        .testTarget(
            name: "LinuxSystemTests",
            dependencies: ["LinuxSystem", "TendrilCore", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "ClusterModelTests",
            dependencies: ["ClusterModel", "TendrilCore", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "NodePlanTests",
            dependencies: [
                "NodePlan", "ClusterModel", "TendrilCore", "LinuxSystem", "StrictYAML", "TLSEngine", "TestSupport",
            ],
            swiftSettings: common
        ),
        .testTarget(
            name: "ShootPlanTests",
            dependencies: [
                "ShootPlan", "NodePlan", "ClusterModel", "TendrilCore", "StrictYAML", "TestSupport", "ShootSamples",
            ],
            swiftSettings: common
        ),
        .testTarget(name: "CommandSupportTests", dependencies: ["CommandSupport"], swiftSettings: common),
        .testTarget(
            name: "CoordinatorTests",
            dependencies: [
                "Coordinator", "ShootPlan", "NodePlan", "ClusterModel", "KubernetesClient", "HTTPModel", "HTTPTransfer",
                "LinuxSystem", "TLSEngine", "TendrilCore", "ShootSamples", "TestSupport", logging,
            ],
            exclude: ["terraform.sh"],
            swiftSettings: common
        ),
        .testTarget(
            name: "NodeAgentTests",
            dependencies: [
                "NodeAgent", "NodePlan", "ClusterModel", "TendrilCore", "LinuxSystem", "TLSEngine", "TestSupport",
                "HTTPModel", "KubernetesClient", logging,
            ],
            swiftSettings: common
        ),
        .testTarget(
            name: "EventTransferTests",
            dependencies: ["EventTransfer", "HTTPModel", "TLSEngine", "LinuxSystem", "TendrilCore", "TestSupport"],
            exclude: ["one-answer.py"],
            swiftSettings: common
        ),
        .testTarget(
            name: "KubernetesClientTests",
            dependencies: [
                "KubernetesClient", "ClusterModel", "HTTPModel", "HTTPTransfer", "TendrilCore", "LinuxSystem",
                "TestSupport",
            ],
            swiftSettings: common
        ),
        .testTarget(
            name: "StrictYAMLTests",
            dependencies: ["StrictYAML", "ClusterModel", "TendrilCore", "TestSupport"],
            swiftSettings: common
        ),
        .testTarget(
            name: "ObservabilityTests",
            dependencies: ["Observability", "TendrilCore", logging],
            swiftSettings: common
        ),
        .testTarget(
            name: "TunnelDataPlaneTests",
            dependencies: [
                "TunnelDataPlane", "TunnelProtocol", "TLSEngine", "LinuxSystem", "TendrilCore", "TestSupport",
                "CAllocationCounter",
            ],
            swiftSettings: common
        ),
        .testTarget(
            name: "TunnelDaemonTests",
            dependencies: [
                "TunnelDaemon", "TunnelDataPlane", "TunnelProtocol", "TLSEngine", "LinuxSystem", "TendrilCore",
                "TestSupport",
            ],
            swiftSettings: common
        ),
        .testTarget(
            name: "IntegrationTests",
            dependencies: [
                "TunnelProtocol", "TLSEngine", "LinuxSystem", "TendrilCore", "TestSupport", "CCurl", "CTendrilShims",
            ],
            exclude: ["garden.py"],
            swiftSettings: common
        ),
    ]
)

// Its program needs libFuzzer, and is built by Tests/Fuzz/run.sh alone.
if Context.environment["TENDRIL_FUZZ"] != nil {
    package.products.append(.executable(name: "tendril-fuzz", targets: ["tendril-fuzz"]))
    package.targets.append(
        .executableTarget(
            name: "tendril-fuzz",
            dependencies: ["TunnelProtocol", "TendrilCore", "TestSupport"],
            path: "Tests/Fuzz/tendril-fuzz",
            swiftSettings: common
        )
    )
}
