#!/usr/bin/env python3
"""Removes one security check at a time and demands that a test notices.

Works on a copy of the tree; each entry names a file, the text of the check, what takes its place, and the suite that must
fail. A check whose text is gone from the file fails too, so that the list follows the code; `--check` looks for just that.
Other arguments choose entries by a part of their file's or suite's name.
"""
import os
import shutil
import subprocess
import sys
import tempfile

P = "Sources/TunnelProtocol"
M = "Sources/ClusterModel/Membership/Membership.swift"
R = "Sources/ClusterModel/Approval"
A = f"{R}/ApprovalRules.swift"
C = "Sources/ShootPlan/ControlPlane/ControlPlane+Namespace.swift"
S = "Sources/ShootPlan/Snapshots"
MUTATIONS = [
    (f"{S}/SnapshotPlan.swift", "dropLast(max(keep, 1))", "dropLast(max(keep, 0))", "SnapshotTests"),
    (f"{S}/SnapshotPlan.swift", "self.name(at: time) == name else", "true else", "SnapshotTests"),
    (f"{S}/SnapshotPlan.swift", "isPlain($0) && $0 != 0x2E", "$0 != 0x2E", "SnapshotTests"),
    (f"{S}/SnapshotJobs.swift", "\"snapshot\", step] + arguments",
     "\"snapshot\", step] + arguments + [secrets.key(.snapshots)]", "SnapshotTests"),
    (f"{S}/SnapshotJobs.swift", "ports.isEmpty ? [] : [[\"ports\": .array(ports)]]", "[[:]]", "SnapshotTests"),
    (f"{S}/SnapshotListing.swift", "guard let key, let size, size >= 0 else", "guard let key, let size else", "SnapshotTests"),
    (f"{S}/SnapshotListing.swift", "guard let first = digits.first, first != 0x2B, first != 0x2D,", "guard digits.first != nil,",
     "SnapshotTests"),
    ("Sources/Coordinator/Snapshots/SnapshotStore.swift", "transport.send(Self.unsigned(request), security)",
     "transport.send(request, security)", "SnapshotStoreTests"),
    ("Sources/Coordinator/Snapshots/RestoredFolders.swift", "if isDone { return }", "if isDone, volume.isEmpty { return }", "RestoredFoldersTests"),
    ("Sources/Coordinator/Snapshots/RestoredFolders.swift", "made > lastUse(of: RestoredData.used) else",
     "made == 0 else", "RestoredFoldersTests"),
    ("Sources/Coordinator/Snapshots/RestoredFolders.swift", "return free >= reserve && free - reserve", "return true || free - reserve",
     "RestoredFoldersTests"),
    ("Sources/Coordinator/Tasks/RestorationTask.swift", "try await work.seed.dryApply(try job(work, restoration, snapshots), manager: Ownership.manager)",
     "_ = try job(work, restoration, snapshots)", "FailedRestorationTests"),
    ("Sources/Coordinator/Tasks/RestorationTask.swift", "catch let refusal as APIError where isFinal(refusal)",
     "catch let refusal as APIError where false && isFinal(refusal)", "FailedRestorationTests"),
    ("Sources/Coordinator/Tasks/RestorationTask.swift", "catch let error as APIError where isFinal(error)",
     "catch let error as APIError where false && isFinal(error)", "FailedRestorationTests"),
    (f"{S}/Restoration.swift", "time <= end else { return nil }", "time > end else { return nil }", "RestorationTests"),
    (f"{S}/SnapshotJobs.swift", "graceSeconds: 1", "graceSeconds: 30", "SnapshotTests"),
    ("Sources/TunnelDaemon/Configuration/FileCheck.swift", "return facts.expiry < now ?", "return facts.expiry == 0 ?", "FileCheckTests"),
    ("Sources/KubernetesClient/Kubeconfig.swift", "try user.refuse(\"as\", \"as-uid\",", "try user.refuse(\"as-uid\",", "KubeconfigTests"),
    ("Sources/KubernetesClient/Kubeconfig.swift", "case (_?, nil): throw user.problem(\"client-certificate\", \"has no client-key beside it\")",
     "case (_?, nil): break", "KubeconfigTests"),
    ("Sources/KubernetesClient/Kubeconfig.swift", "try cluster.refuse(\"insecure-skip-tls-verify\", because: \"name the CA in certificate-authority\")",
     "", "KubeconfigTests"),
    ("Sources/ClusterModel/Schema/Schema+Problems.swift", "found.add(inner(name), \"is no field\")", "continue", "SchemaTests"),
    ("Sources/NodePlan/UserData/UserData.swift", "problems.require(baked == true || sha256 != nil,", "problems.require(true,", "DeployTests"),
    ("Sources/TunnelDaemon/Configuration/FileCheck.swift", "if facts.start > now {", "if false && facts.start > now {", "FileCheckTests"),
    ("Sources/Coordinator/Snapshots/RestoredFolders.swift", "guard try !Folders.isHeld(", "guard try true || !Folders.isHeld(",
     "RestoredFoldersTests"),
    ("Sources/Coordinator/Snapshots/SnapshotSteps.swift", "guard stored == size else", "guard true || stored == size else",
     "SnapshotStoreTests"),
    ("Sources/Coordinator/Snapshots/SnapshotSteps.swift", "try? await store.delete(key)", "", "SnapshotStoreTests"),
    ("Sources/Coordinator/Snapshots/SnapshotStore.swift", "guard size == limit else", "guard true || size == limit else",
     "SnapshotStoreTests"),
    ("Sources/Coordinator/Snapshots/SnapshotStore.swift", "guard bytes.count <= limit - state.size else",
     "guard true || bytes.count <= limit - state.size else", "SnapshotStoreTests"),
    ("Sources/ShootPlan/Credentials/Rotation.swift", "guard step == .moved, isInForce", "guard step == .moved", "RotationTests"),
    ("Sources/ShootPlan/Credentials/Rotation.swift", "case .moved where isServed", "case .moved where false && isServed",
     "RotationTests"),
    ("Sources/ShootPlan/Terraform/AWSInfrastructure.swift", ".\\(identity.prefix(8)).", "-", "CloudTests"),
    ("Sources/ShootPlan/Terraform/AWSInfrastructure.swift", ".\\(identity.prefix(8)).", ".", "CloudTests"),
    ("Sources/ShootPlan/Terraform/AWSInfrastructure.swift", "networkLengths.contains($0.length)", "$0.length > 0", "CloudTests"),
    ("Sources/ShootPlan/Terraform/AWSInfrastructure.swift", "isZone(name), !name.hasPrefix(region) else", "isZone(name), false else", "CloudTests"),
    ("Sources/ShootPlan/Rules/ShootRules.swift", "return forbidden + AWSInfrastructure.problems(changing: made, to: shoot.spec)", "return forbidden", "ShootAdmissionTests"),
    ("Sources/ShootPlan/Rules/ShootAdmission.swift", "|| old.status?.seedName != nil", "", "ShootAdmissionTests"),
    ("Sources/ClusterModel/Shoots/Shoot.swift", "status?.restoration?.isStopped == true && isUnderWay", "isUnderWay", "ShootProgressTests"),
    ("Sources/ClusterModel/Shoots/Shoot.swift", " || status?.couldNotBegin == true", "", "ShootProgressTests"),
    ("Sources/Coordinator/Shoots/ShootLoop+Flows.swift", "records.restoration?.passed()", "", "FailedRestorationTests"),
    ("Sources/ClusterModel/Shoots/ShootStatus.swift", "case .processing, .succeeded: return true", "case .processing, .succeeded: return false", "ShootAdmissionTests"),
    ("Sources/ClusterModel/Shoots/ShootStatus.swift", "lastErrors?.contains(where: isBeforeAll) == false", "true", "ShootAdmissionTests"),
    ("Sources/ClusterModel/Shoots/ShootStatus.swift", "error.task == TaskError.namespace && observedGeneration == nil", "false", "ShootAdmissionTests"),
    ("Sources/Coordinator/Service/CoordinatorEnvironment.swift", "since: before, made: made)", "since: nil, made: [:])", "AskedCloudTests"),
    ("Sources/ShootPlan/Rules/PoolRules.swift", "check(seen.insert(taint.mark).inserted, field,", "check(true, field,", "ShootRulesTests"),
    ("Sources/NodePlan/Configuration/NodeConfigurationRules.swift", "problems += repeated((kubelet.taints ?? []).map(\\.mark), \"spec.kubelet.taints\", \"taint\")", "",
     "RulesTests"),
    ("Sources/Coordinator/Providers/Terraform.swift", "return isLeft && work.isEnding() ? .interrupt", "return isLeft ? .interrupt", "TerraformTests"),
    ("Sources/LinuxSystem/ChildProcess.swift", "kill(-pid, SIGINT)", "kill(-pid, SIGKILL)", "ChildProcessTests"),
    ("Sources/ShootPlan/Terraform/machines.tf", "# What an earlier release made keeps the name that it has: with another one it would be made anew.\n  lifecycle { ignore_changes = [name] }", "",
     "CloudTests"),
    ("Sources/NodePlan/Configuration/NodeConfigurationRules.swift", "if !(1...4).contains(keys.count)",
     "if false && !(1...4).contains(keys.count)", "RulesTests"),
    ("Sources/NodePlan/Configuration/NodeConfigurationRules.swift", "[UInt8](base64: key)?.count != 32",
     "[UInt8](base64: key)?.count == 33", "RulesTests"),
    ("Sources/ShootPlan/Rules/ShootAdmission.swift", "[ShootAnnotation.confirmation] != \"true\"",
     "[ShootAnnotation.confirmation] == \"never\"", "ShootAdmissionTests"),
    (f"{P}/Gate/Gate.swift", "guard verify(GateToken.message(random: hello.random, time: token.time), token.mac)",
     "guard verify(GateToken.message(random: hello.random, time: token.time), token.mac) || true", "GateTests"),
    (f"{P}/Gate/Gate.swift", "guard distance <= GateToken.tolerance", "guard true || distance <= GateToken.tolerance",
     "GateTests"),
    (f"{P}/Gate/Gate.swift", "guard !seen.wasSeen(hash", "guard true || !seen.wasSeen(hash", "GateTests"),
    ("Sources/TLSEngine/GateKeys.swift", "CRYPTO_memcmp(expected, mac, mac.count) == 0",
     "CRYPTO_memcmp(expected, mac, mac.count) != 0", "GateKeysTests"),
    (f"{P}/Filtering/ServerPolicy.swift", "guard bound.contains(packet.source)",
     "guard true || bound.contains(packet.source)", "HostileClientTests"),
    (f"{P}/Filtering/ServerPolicy.swift", "guard !shoot.contains(packet.destination)",
     "guard true || !shoot.contains(packet.destination)", "ServerPolicyTests"),
    (f"{P}/Filtering/ServerPolicy.swift", "return !packet.opensConnection\n", "return true\n", "HostileClientTests"),
    (f"{P}/Filtering/ServerPolicy.swift", "bound.contains(quoted.destination)",
     "true || bound.contains(quoted.destination)", "ServerPolicyTests"),
    (f"{P}/Filtering/ServerPolicy.swift", "quoted.source == packet.destination,",
     "true || quoted.source == packet.destination,", "HostileClientTests"),
    (f"{P}/Filtering/ServerPolicy.swift", "services.contains(where: { $0.sent(quoted) })", "services.contains(where: { _ in true })",
     "HostileClientTests"),
    (f"{P}/Filtering/InboundService.swift", "quoted.transport == transport && quoted.sourcePort == port",
     "quoted.transport == transport", "HostileClientTests"),
    (f"{P}/Filtering/InboundService.swift", "quoted.transport == transport && quoted.sourcePort", "quoted.sourcePort", "ServerPolicyTests"),
    (f"{P}/Filtering/InboundService.swift", "quoted.sourcePort == port && quoted.source == address", "quoted.sourcePort == port",
     "ServerPolicyTests"),
    (f"{P}/Filtering/ClientPolicy.swift", "guard served.contains(packet.destination)",
     "guard true || served.contains(packet.destination)", "ClientPolicyTests"),
    (f"{P}/Packets/InnerPacket.swift", "guard fragment & 0x3FFF == 0", "guard true || fragment & 0x3FFF == 0",
     "HostileClientTests"),
    (f"{P}/Packets/InnerPacket.swift", "bytes.count >= 40, Int(bytes.u16(4)) &+ 40 == bytes.count", "bytes.count >= 40",
     "HostileClientTests"),
    (f"{P}/Packets/InnerPacket.swift", "guard words == 5", "guard true || words == 5", "InnerPacketTests"),
    (f"{P}/Packets/VirtioHeader.swift", "guard fits, !opens", "guard fits || true, !opens", "VirtioHeaderTests"),
    (f"{P}/Packets/VirtioHeader.swift", "guard flags & ~(Self.needsChecksum | Self.dataValid) == 0 else", "guard true else",
     "HostileClientTests"),
    (f"{P}/Packets/VirtioHeader.swift", "guard Int(checksumStart) == packet.transportOffset, checksumOffset == offset else",
     "guard true else", "HostileClientTests"),
    (f"{P}/Packets/VirtioHeader.swift", "Int(segmentSize) < payload,", "Int(segmentSize) < payload || true,",
     "HostileClientTests"),
    (f"{P}/Packets/VirtioHeader.swift", "payload <= Self.maximumSegments * Int(segmentSize)", "true", "VirtioHeaderTests"),
    (f"{P}/Links/ServerRegistry.swift", "for network in hello.networks where !networks.contains",
     "for network in hello.networks where false && !networks.contains", "ServerRegistryTests"),
    (f"{P}/Links/ServerRegistry.swift", "let replaced = links.first { $0.value.name == name }?.key", "let replaced: Int? = nil",
     "SimulationTests"),
    (f"{P}/Links/ServerRegistry.swift", "guard !isOthers, !own.contains(address)", "guard true || isOthers",
     "ServerRegistryTests"),
    (f"{P}/Links/ServerRegistry.swift", "{ isBound($0, to: name) && !taken", "{ (true || isBound($0, to: name)) && !taken",
     "ServerRegistryTests"),
    (f"{P}/Links/ServerRegistry.swift", "if let nodes { return shared", "if let nodes, false { return shared", "ServerRegistryTests"),
    (f"{P}/Links/ServerRegistry.swift", "nodes == nil ? tunnels + allowance(of: name) : tunnels",
     "tunnels + allowance(of: name)", "ServerRegistryTests"),
    ("Sources/CommandSupport/Terminal.swift", "PrintableText.make($0.utf8)", "$0", "TerminalTests"),
    (f"{P}/Packets/DatagramMerge.swift", " && packet.length <= maximumLength", "", "DatagramMergerTests"),
    (f"{P}/Streams/StreamRoutes.swift", "guard areOwnersKnown else", "guard false else", "StreamRouteTests"),
    (f"{P}/Streams/StreamTarget.swift", " && !text.split(separator: \".\").allSatisfy(isNumber)", "", "StreamRouteTests"),
    ("Sources/ClusterModel/Objects/NodeNetworks.swift", "{ $0.contains(own) && $0 != own }", "{ _ in true }",
     "NodeNetworksTests"),
    ("Sources/ClusterModel/Objects/NodeNetworks.swift", "guard claim.owner != other.owner else", "guard false else",
     "NodeNetworksTests"),
    ("Sources/TLSEngine/ClientSessions.swift", "SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nil)",
     "SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nil)", "EventTransferTests"),
    ("Sources/TLSEngine/ClientSessions.swift", "X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), host) == 1",
     "true", "EventTransferTests"),
    ("Sources/NodeAgent/Steady/RestartBudget.swift", "known.version == version, known.spec == spec {",
     "known.version == version {", "RestartBudgetTests"),
    ("Sources/NodeAgent/Steady/RestartBudget.swift", "return now >= since + .seconds",
     "return true || now >= since + .seconds", "RestartBudgetTests"),
    (A, "guard signer.accepts(facts.usages) else", "guard true || signer.accepts(facts.usages) else", "ApprovalRulesTests"),
    (A, "guard facts.request.hasGoodKey else", "guard true || facts.request.hasGoodKey else", "ApprovalRulesTests"),
    (A, "guard facts.request.groups == identity.groups else", "guard true || facts.request.groups.isEmpty else",
     "ApprovalRulesTests"),
    (A, "if let bound = token.machine, bound != machine {", "if let bound = token.machine, bound != machine, false {",
     "ApprovalRulesTests"),
    (A, "record.expiry > facts.now, !token.allowsRejoin {", "record.expiry > facts.now, false {", "ApprovalRulesTests"),
    (A, "guard facts.request.groups == [MachineIdentity.kubeletGroup] else", "guard true else", "ApprovalRulesTests"),
    (A, "guard addresses.isDisjoint(with: facts.foreignAddresses) else", "guard true else", "ApprovalRulesTests"),
    (A, "guard request.hosts.allSatisfy({ ServingHosts", "guard true || request.hosts.allSatisfy({ ServingHosts",
     "ServingHostsTests"),
    (A, "guard addresses.allSatisfy(\\.isRoutableUnicast) else", "guard true else", "ServingHostsTests"),
    ("Sources/ClusterModel/Approval/ServingHosts.swift", "isWithin(host, machine), !isOfService(host)",
     "isWithin(host, machine)", "ServingHostsTests"),
    ("Sources/ClusterModel/Approval/ServingHosts.swift", "return !others.contains { $0 != machine && isWithin($0, machine) && isWithin(host, $0) }",
     "return true", "ServingHostsTests"),
    ("Sources/TLSEngine/Requests/Signatures.swift", "keys.contains { $0.isValid(signature, of: document) }",
     "true || signature.isEmpty", "ConfigurationReaderTests"),
    ("Sources/NodeAgent/Apply/ConfigurationReader.swift", "guard configuration.metadata.pool == pool else",
     "guard true || pool.isEmpty else", "ConfigurationReaderTests"),
    ("Sources/NodeAgent/Bootstrap/ClusterInfo.swift", "guard isSigned(text, signature, token) else",
     "guard true || isSigned(text, signature, token) else", "ClusterInfoTests"),
    ("Sources/NodeAgent/Bootstrap/ClusterInfo.swift", "facts.allSatisfy({ pins", "facts.contains(where: { pins",
     "ClusterInfoTests"),
    ("Sources/NodeAgent/Bootstrap/Bootstrap.swift", "guard context.isToldAnew, (try?", "guard (try?", "RejoinTests"),
    ("Sources/NodeAgent/Bootstrap/Bootstrap.swift", "ClusterInfo.isPinned(facts, by: pins)", "!facts.isEmpty", "RejoinTests"),
    ("Sources/NodeAgent/AgentContext.swift", "isToldAnew ? named + told : named", "named + told", "RejoinTests"),
    ("Sources/NodeAgent/State/ClusterAccess.swift", "if authority != self.authority {", "if false {", "GenerationsTests"),
    ("Sources/NodeAgent/Operate/FileTree.swift", "if left.contains(path) { continue }", "", "FileTreeTests"),
    ("Sources/NodeAgent/Operate/FileTree.swift", "O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC",
     "O_RDONLY | O_DIRECTORY | O_CLOEXEC", "FileTreeTests"),
    ("Sources/NodeAgent/Operate/PodSandboxes.swift", "if outcome.isSuccess {", "if true {", "PodSandboxesTests"),
    ("Sources/NodeAgent/Bootstrap/FormSearch.swift", "window.suffix(overlap)", "window.suffix(0)", "SecretsTests"),
    ("Sources/Coordinator/Approver/JoinTokens.swift", "if !token.allowsRejoin {", "if true {", "ApproverTests"),
    ("Sources/LinuxSystem/ConfinedFiles.swift", "tendril_o_path | O_DIRECTORY | O_NOFOLLOW", "tendril_o_path | O_DIRECTORY",
     "ConfinedFilesTests"),
    ("Sources/TLSEngine/Requests/CertificateRequest.swift", "X509_REQ_verify(pointer, key) == 1",
     "X509_REQ_verify(pointer, key) != 2", "RequestTests"),
    (f"{P}/Streams/StreamMachine.swift", "guard received <= highestSent else", "guard true || received <= highestSent else",
     "StreamSimulationTests"),
    (f"{P}/Streams/StreamMachine.swift", "guard !overflow, offset <= received, end <= min(granted, peerEnd ?? .max) else",
     "guard !overflow else", "StreamSimulationTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamMoves.swift", "where set.link == party.link && set.run == party.run",
     "where set.link == party.link", "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamMoves.swift", "where set.link == party.link && set.run == party.run",
     "where set.run == party.run", "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamMoves.swift", "guard set.mayName(entries.count) else",
     "guard true || set.mayName(entries.count) else", "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamFrames.swift", "guard mayAsk(set) else", "guard true || mayAsk(set) else",
     "StreamBoundsTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamOpening.swift", "guard mayHold(link), let", "guard chunks.held < Self.memoryBudget, let",
     "StreamBoundsTests"),
    ("Sources/TunnelDataPlane/Streams/StreamSet.swift", "guard spent > max(Self.maximumSpent, streams.count) else { return }",
     "guard spent < 0 else { return }", "StreamBoundsTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamFrames.swift", "set.run == nil || set.isOfLane(id) else", "true else",
     "StreamWorkerTests"),
    (f"{P}/Liveness/LaneMachine.swift", "guard awaited[place] == heartbeat else", "guard awaited[place] != nil else",
     "LaneMachineTests"),
    (f"{P}/Liveness/LaneMachine.swift", "        awaited[place] = nil\n", "", "LaneMachineTests"),
    (f"{P}/Gate/WaitingRoom.swift", "deadline <= now else", "deadline < MonotonicTime(nanoseconds: 0) else", "WaitingRoomTests"),
    (f"{P}/Gate/WaitingRoom.swift", "guests.count > capacity ? oldest : nil", "nil", "WaitingRoomTests"),
    (f"{P}/Streams/StreamPassage.swift", "guard number > self.number else", "guard true else", "StreamPassageTests"),
    (f"{P}/Streams/StreamRoutes.swift", "guard !address.isNeverATarget else", "guard true || !address.isNeverATarget else",
     "StreamRouteTests"),
    (f"{P}/Streams/StreamRoutes.swift", "guard shoot.contains(where: { $0.contains(address) }) else", "guard true else",
     "StreamRouteTests"),
    (f"{P}/Streams/NeverATarget.swift", "return translated?.isNeverATarget ?? false", "return false", "StreamRouteTests"),
    ("Sources/TunnelDataPlane/Streams/StreamRules.swift", "!host.isNeverATarget && !isOwn", "!isOwn", "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/StreamRules.swift", " && !isOwn(address)", "", "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/StreamRules.swift", "address.address == own.address && address.port == own.port", "address == own",
     "StreamWorkerTests"),
    (f"{P}/Streams/StreamRoutes.swift", "reset.reason == .forbidden && outside", "reset.reason == .forbidden || outside", "StreamRouteTests"),
    ("Sources/TunnelDataPlane/Streams/StreamRules.swift", "outside.contains(target))", "!outside.isEmpty)", "StreamWorkerTests"),
    (f"{P}/Streams/StreamRoutes.swift", "guard outside.contains(target) ||", "guard !outside.isEmpty ||", "StreamRouteTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamOpening.swift",
     "guard streamRules.allows(address, for: stream.target) else", "guard address.address != nil else",
     "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamOpening.swift", "guard streamRules.resolvesNames else",
     "guard true || streamRules.resolvesNames else", "StreamWorkerTests"),
    ("Sources/TunnelDataPlane/Streams/Worker+StreamFrames.swift", "guard set.isPeers(id), set.run",
     "guard set.run", "StreamWorkerTests"),
    ("Sources/NodePlan/Configuration/Names.swift",
     'digest.hasPrefix("sha256:") && DigestText.isSHA256(digest.dropFirst("sha256:".count))', "true", "RulesTests"),
    (f"{R}/MachineRecord.swift", "mayBeGone(at: now) && !hasNode", "!hasNode", "ApprovalRulesTests"),
    (f"{R}/MachineRecord.swift", "mayHaveEnded(at: now) && !hasNode", "!hasNode", "ApprovalRulesTests"),
    ("Sources/Coordinator/Machines/EndedMachines.swift", "&& present.isGone(record.machine)", "", "MachineRepairTests"),
    ("Sources/ShootPlan/ControlPlane/AdmissionPlugins.swift", "if let loss = needed[name] {",
     "if let loss = needed[name + \"?\"] {", "ShootRulesTests"),
    ("Sources/ShootPlan/ControlPlane/FeatureGates.swift", "} else if let reason = ours[name] {",
     "} else if let reason = ours[name + \"?\"] {", "ShootRulesTests"),
    ("Sources/ShootPlan/ControlPlane/IdentityProvider.swift", "traits.asksIssuersByEgress ? (oidc, traits) : nil", "(oidc, traits)",
     "RenderingTests"),
    ("Sources/ShootPlan/ControlPlane/IdentityProvider.swift", ', "egressSelectorType": "cluster",', ",", "RenderingTests"),
    ("Sources/ShootPlan/Rules/IdentityRules.swift", "prefix.hasPrefix($0) || $0.hasPrefix(prefix)", "prefix.hasPrefix($0)",
     "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/IdentityRules.swift", "prefix.hasPrefix($0) || $0.hasPrefix(prefix)", "$0.hasPrefix(prefix)",
     "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/IdentityRules.swift", "oidc.issuerURL != APIServer.tokenIssuer", "!oidc.issuerURL.isEmpty",
     "ShootRulesTests"),
    ("Sources/ShootPlan/ControlPlane/ImagePull.swift", "original.type == type, ", "", "PullSecretsTests"),
    ("Sources/TLSEngine/TLSContext.swift", "SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT", "SSL_VERIFY_NONE",
     "TLSSessionTests"),
    ("Sources/TLSEngine/TLSContext.swift", "tendril_ctx_set_tls13_only(context) == 1, SSL_CTX_set_ciphersuites",
     "tendril_ctx_set_tls12_at_least(context) == 1, SSL_CTX_set_ciphersuites", "TLSSessionTests"),
    ("Sources/TLSEngine/TLSContext.swift", "SSL_CTX_set_num_tickets(context, 0)", "SSL_CTX_set_num_tickets(context, 2)",
     "TLSSessionTests"),
    ("Sources/KubernetesClient/KubernetesClient.swift", "guard method == .get || mayWrite() else",
     "guard true || mayWrite() else", "KubernetesClientTests"),
    (M, "if let renewed, now > renewed + Self.patience { isLost = true }", "", "MembershipTests"),
    (M, "if isKnownToAll || now >= joined", "if !isKnownToAll || now >= joined", "MembershipTests"),
    (M, "now < min(renewed, looked) + Self.patience", "now < renewed + Self.patience", "MembershipTests"),
    (M, "now < min(renewed, looked) + Self.patience", "now < looked + Self.patience", "MembershipTests"),
    (M, "known?.version == record.version ? known :", "known != nil ? known :", "MembershipTests"),
    ("Sources/ClusterModel/Shoots/TechnicalID.swift", "&& !zip(bytes, bytes.dropFirst()).contains { $0 == 0x2D && $1 == 0x2D }",
     "", "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/NetworkRules.swift", "for other in named where other.prefix.overlaps(prefix)",
     "for other in named where false && other.prefix.overlaps(prefix)", "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/NetworkRules.swift", "other.overlaps(prefix) {", "false && other.overlaps(prefix) {",
     "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/NetworkRules.swift", "for own in named where own.prefix.overlaps(prefix)",
     "for own in named where false && own.prefix.overlaps(prefix)", "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/ShootRules.swift", 'if spec.provider.type != .local { rules.compare(withSeed: "nodes"',
     'if false { rules.compare(withSeed: "nodes"', "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/ShootRules.swift", "if after < before {", "if false && after < before {", "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/PoolRules.swift", "check(!Self.isReserved(key), field", "check(true, field", "ShootRulesTests"),
    ("Sources/ShootPlan/Deletion/CleanUp.swift", "if left(at: now) == 0 {", "if left(at: now) == 0, minutes > 9999 {", "CleanUpTests"),
    ("Sources/ShootPlan/Deletion/CleanUp.swift", "begun = min(begun, now)", "begun = max(begun, 0)", "CleanUpTests"),
    ("Sources/ShootPlan/Deletion/CleanUp.swift", ">= most ?", ">= most && minutes > 9999 ?", "CleanUpTests"),
    ("Sources/ShootPlan/Rules/KnownProblems.swift", "value: value)", "value: value.map { _ in .null })", "ShootRulesTests"),
    ("Sources/ShootPlan/Rules/ShootRules.swift", "told.contains { $0.description", "told.contains { false && $0.description", "ShootAdmissionTests"),
    ("Sources/ShootPlan/Rules/ShootRules.swift", "observedGeneration == nil ? nil : stored", "observedGeneration == nil ? stored : stored",
     "ShootAdmissionTests"),
    ("Sources/ShootPlan/ControlPlane/AuditPolicy.swift", 'group("", ["secrets", "configmaps", "serviceaccounts/token"])',
     'group("", ["configmaps", "serviceaccounts/token"])', "RenderingTests"),
    ("Sources/ShootPlan/Confinement.swift", '"allowPrivilegeEscalation": false', '"allowPrivilegeEscalation": true',
     "RenderingTests"),
    ("Sources/ShootPlan/ControlPlane/APIServer.swift", '"--client-ca-file=\\(secrets.bundle(.client))"', '"--client-ca-file=\\(secrets.authority(.client))"',
     "RenderingTests"),
    ("Sources/HTTPTransfer/Exchange.swift", "tendril_curl_set_text(handle, CURLOPT_CAPATH, nil) == CURLE_OK", "true", "ShootCommandTests"),
    ("Sources/KubernetesClient/Kubeconfig.swift", "guard let directory else {", "guard let directory = directory ?? \"\" as String? else {",
     "ClientTests"),
    ("Sources/KubernetesClient/KubernetesClient+Objects.swift", "guard items.count <= listLimits.objects",
     "guard true || items.count <= listLimits.objects", "ClientTests"),
    ("Sources/Coordinator/Tasks/NodeConfigurationsTask.swift",
     ".prove(document, by: keys)\n        else { return nil }", ".prove(document, by: keys) || true\n        else { return nil }", "HostileTests"),
    ("Sources/Coordinator/Shoots/ShootLoop+Flows.swift", "namespace.map { !NamespaceTask.isOwn($0, of: shoot) } ?? true", "namespace == nil",
     "HostileTests"),
    ("Sources/Coordinator/Shoots/ShootLoop.swift", "guard NamespaceTask.isOwn(namespace, of: shoot) else { return nil }",
     "_ = NamespaceTask.isOwn(namespace, of: shoot)", "HostileTests"),
    ("Sources/Coordinator/Tasks/NamespaceTask.swift", "return uid.text != shoot.metadata.uid", "return uid.text == nil", "FaultyAPITests"),
    ("Sources/Coordinator/Tasks/NamespaceTask.swift", " && !isOfNamesake(namespace, of: shoot)\n", "\n", "HostileTests"),
    ("Sources/ShootPlan/Rules/ShootAdmission.swift", "return isKept(old) &&", "return false && isKept(old) &&",
     "ShootAdmissionTests"),
    ("Sources/ShootPlan/Rules/ShootAdmission.swift", "let last = old.status?.lastOperation", "let last = new.status?.lastOperation",
     "ShootAdmissionTests"),
    ("Sources/Coordinator/Flow/LostRecords.swift", "if generation == observed ||", "if true || generation == observed ||", "LostRecordsTests"),
    ("Sources/Coordinator/Shoots/ShootLoop+Flows.swift", "        shoot.spec = made\n", "        _ = made\n", "HostileTests"),
    ("Sources/ShootPlan/ControlPlane/APIServer.swift", '["cluster", "controlplane"].map', '["cluster"].map', "ControlPlaneTests"),
    (C, 'policy("default-deny", ["podSelector": everywhere, "policyTypes": ["Ingress", "Egress"]]),', "", "ControlPlaneTests"),
    (C, '"ingress": [["from": own]],', '"ingress": [["from": own], [:]],', "ControlPlaneTests"),
    (C, '"egress": [["to": own]],', '"egress": [["to": own], [:]],', "ControlPlaneTests"),
    (C, '"podSelector": ["matchLabels": PodParts.selector(cluster, "kube-apiserver")],', '"podSelector": everywhere,',
     "ControlPlaneTests"),
    (C, '["port": 8132, "protocol": "TCP"]]]],', '["port": 8132, "protocol": "TCP"]]], [:]],', "ControlPlaneTests"),
    (C, '["namespaceSelector": ["matchLabels": ["tendril.dev/monitoring": "true"]]]', '["namespaceSelector": [:]]',
     "ControlPlaneTests"),
    (C, '"policyTypes": ["Egress"], "egress": []]', '"policyTypes": ["Egress"], "egress": [[:]]]', "ControlPlaneTests"),
    (C, '"pods": "60", "services": "10",', '"services": "10",', "ControlPlaneTests"),
    ("Sources/Coordinator/Tasks/AddonsTask.swift", "if label == Ownership.manager {", "if label != \"\" {", "HostileTests"),
]


def stands(root, path, check):
    """Whether the text of a check is in its file, once."""
    with open(os.path.join(root, path)) as handle:
        return handle.read().count(check) == 1


def main():
    source = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
    if sys.argv[1:] == ["--check"]:
        gone = [f"{path}: {check}" for path, check, _, _ in MUTATIONS if not stands(source, path, check)]
        print("\n".join(f"error: the check is not there once: {each}" for each in gone), end="\n" if gone else "")
        return 1 if gone else 0
    copy = tempfile.mkdtemp(prefix="tendril-mutations-")
    try:
        shutil.copytree(source, copy, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".git", ".build"))
        return run(copy)
    finally:
        shutil.rmtree(copy)


def run(copy):
    survivors = []
    wanted = [entry for entry in MUTATIONS if not sys.argv[1:] or any(a in entry[0] + entry[3] for a in sys.argv[1:])]
    for path, check, replacement, suite in wanted:
        file = os.path.join(copy, path)
        name = f"{os.path.basename(path)}: {check.strip()[:70]}"
        if not stands(copy, path, check):
            survivors.append(f"{name} (the check is not there once)")
            continue
        with open(file) as handle:
            text = handle.read()
        with open(file, "w") as handle:
            handle.write(text.replace(check, replacement))
        # Warnings such as "will never be executed" must not stop a mutation.
        manifest = os.path.join(copy, "Package.swift")
        with open(manifest) as handle:
            lines = [line for line in handle if "treatAllWarnings" not in line]
        with open(manifest, "w") as handle:
            handle.writelines(lines)
        done = subprocess.run(["swift", "test", "-c", "release", "--disable-testable-imports", "--filter", suite], cwd=copy, capture_output=True, text=True)
        output = done.stdout + done.stderr
        noticed = done.returncode != 0 and "error:" not in output.split("Test run started")[0]
        print(f"{'noticed ' if noticed else 'SURVIVED'}  {name}", flush=True)
        if not noticed:
            survivors.append(name)
        with open(file, "w") as handle:
            handle.write(text)
    print(f"{len(wanted) - len(survivors)} of {len(wanted)} removed checks were noticed")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
