# Every command that is typed daily; docs/development.md explains them.
SHELL := /bin/bash
CHECKED := --explicit-target-dependency-import-check error
SWIFT_BUILD := swift build $(CHECKED)
RELEASE := -c release
BIN := .build/release
PREFIX ?= /usr
DESTDIR ?=

PROGRAMS := tendril-vpn tendril-agent tendril-coordinator tendril
# The programs as they are shipped, for tests and benchmarks.
WITH_PROGRAMS := TENDRIL=$(CURDIR)/.build/programs/tendril TENDRIL_AGENT=$(CURDIR)/.build/programs/tendril-agent \
	TENDRIL_COORDINATOR=$(CURDIR)/.build/programs/tendril-coordinator TENDRIL_VPN=$(CURDIR)/.build/programs/tendril-vpn \
	TENDRIL_BENCH=$(CURDIR)/.build/programs/tendril-bench
# Else the testing library takes a backtrace of each error that is thrown, caught or not, which is half of the time of all tests.
export SWT_SWIFT_ERROR_BACKTRACING_ENABLED ?= 0

.PHONY: all build setup test test-unit test-packages test-rig test-node test-shoot lint images mutations fuzz bench bench-streams bench-node bench-shoot bench-fleet demo demo-down demo-tunnel sanitize install deb clean

all: build

# What a bare Debian 12 with the Swift toolchain lacks.
setup:
	@Tests/Rig/setup.sh

build: setup
	$(SWIFT_BUILD) $(RELEASE)

# Unit tests and real namespaces, then real machines that join a real Kubernetes API server, shoots, and the demo.
test: test-unit test-packages test-rig

# Of the objects that the programs are made of: no test imports what is not exported, and nothing is built twice.
test-unit: programs
	$(WITH_PROGRAMS) swift test $(RELEASE) $(CHECKED) --disable-testable-imports

# Images, what `make install` puts where, Debian packages, manual pages.
test-packages: programs
	Tests/Rig/check-packages.sh .build/programs

# test-node, test-shoot and the demo, the first beside the second.
test-rig: programs
	$(WITH_PROGRAMS) Tests/Rig/cluster/all.sh

# The first run builds Kubernetes and a machine image (six minutes) and keeps them in ~/.cache/tendril.
test-node: programs
	$(WITH_PROGRAMS) Tests/Rig/cluster/node-test.sh $(SCENARIOS)

# A seed with the coordinator, and a Shoot from its creation to its end.
test-shoot: programs
	$(WITH_PROGRAMS) Tests/Rig/cluster/shoot-test.sh $(SCENARIOS)

# The programs as they are shipped, where the next build does not change them.
.PHONY: programs
programs: build
	mkdir -p .build/programs
	cp --remove-destination $(foreach name,$(PROGRAMS) tendril-bench,$(BIN)/$(name)) .build/programs/
	Tests/Rig/check-program.sh .build/programs/tendril-vpn 20
	Tests/Rig/check-program.sh .build/programs/tendril-agent 25
	Tests/Rig/check-program.sh .build/programs/tendril-coordinator 25
	Tests/Rig/check-program.sh .build/programs/tendril 25
	strip .build/programs/tendril-agent

lint: setup
	swift format lint --strict --recursive Package.swift Sources Tests
	Tests/Rig/check-units.sh
	Tests/Rig/check-monitoring.sh
	Tests/Rig/check-links.py
	Tests/Rig/mutations.py --check

# Thread and address sanitizer; each has a build directory of its own. One test at a time: they are so slow that others would not get on.
sanitize: build
	for kind in thread address; do \
		export ASAN_OPTIONS=detect_leaks=0; \
		swift test --sanitize=$$kind --scratch-path .build/$$kind --no-parallel --skip IntegrationTests --skip AllocationTests --skip IdleStreamTests && \
		swift build --sanitize=$$kind --scratch-path .build/$$kind --product tendril-vpn && \
		Tests/Rig/sanitize.sh .build/$$kind/debug/tendril-vpn $(BIN)/tendril-bench || exit 1; \
	done

# Removes security checks one by one; a test must notice each time.
mutations: setup
	Tests/Rig/mutations.py

# libFuzzer against what reads peers' bytes, a minute for each target.
FUZZ_SECONDS ?= 60
fuzz: setup
	Tests/Fuzz/run.sh $(FUZZ_SECONDS)

bench: build
	Tests/Benchmarks/run.py --program $(BIN)/tendril-vpn --tools $(BIN)/tendril-bench --write docs/performance.md
	$(MAKE) bench-streams bench-node bench-shoot bench-fleet

# Streams beside a CONNECT proxy over OpenVPN (three minutes).
bench-streams: build
	Tests/Benchmarks/streams.py --program $(BIN)/tendril-vpn --tools $(BIN)/tendril-bench | Tests/Benchmarks/insert.py docs/performance.md streams

# The agent beside a hand-written script, on real machines (six minutes).
bench-node: programs
	$(WITH_PROGRAMS) Tests/Benchmarks/node.sh | Tests/Benchmarks/insert.py docs/performance.md node

# Shoots from their creation to a Ready node (six minutes).
bench-shoot: programs
	$(WITH_PROGRAMS) Tests/Benchmarks/shoot.sh | Tests/Benchmarks/insert.py docs/performance.md shoot

# One coordinator and a thousand shoots, control planes simulated (ten minutes).
bench-fleet: programs
	$(WITH_PROGRAMS) Tests/Benchmarks/fleet.sh | Tests/Benchmarks/insert.py docs/performance.md fleet

# A garden and seed on this machine, the coordinator, and a Shoot that becomes a cluster; it says what it changes.
demo: programs
	$(WITH_PROGRAMS) Tests/Rig/cluster/demo.sh

demo-down:
	Tests/Rig/cluster/demo.sh down

# The tunnel alone: two namespaces as seed and shoot, behind each a network.
demo-tunnel: build
	TENDRIL_VPN=$(CURDIR)/$(BIN)/tendril-vpn Tests/Rig/demo-tunnel.sh

install: build
	packaging/install.sh "$(BIN)" "$(DESTDIR)" "$(PREFIX)"

# Debian packages in .build/packages: tendril-node for machines, tendril-coordinator for the control plane's side.
deb: build
	packaging/deb.sh "$(BIN)" .build/packages

# OCI archives in .build/images of what runs in a seed; no registry and no daemon is needed.
images: build
	packaging/images.sh "$(BIN)" .build/images

clean:
	rm -rf .build
