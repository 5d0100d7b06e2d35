# Every command that is typed daily; docs/development.md explains them.
SHELL := /bin/bash
SWIFT_BUILD := swift build --explicit-target-dependency-import-check error
RELEASE := -c release --static-swift-stdlib
BIN := .build/release
PREFIX ?= /usr
DESTDIR ?=

.PHONY: all build setup test lint mutations bench demo sanitize install clean

all: build

# What a bare Debian 12 with the Swift toolchain lacks.
setup:
	@Tests/Rig/setup.sh

build: setup
	$(SWIFT_BUILD) $(RELEASE) --product tendril-vpn

# Unit tests, then real namespaces.
test: setup
	$(SWIFT_BUILD) $(RELEASE) --product tendril-vpn
	$(SWIFT_BUILD) $(RELEASE) --product tendril-bench
	Tests/Rig/check-program.sh $(BIN)/tendril-vpn
	mkdir -p .build/programs && cp $(BIN)/tendril-vpn $(BIN)/tendril-bench .build/programs/
	TENDRIL_VPN=$(CURDIR)/.build/programs/tendril-vpn TENDRIL_BENCH=$(CURDIR)/.build/programs/tendril-bench \
		swift test -c release --explicit-target-dependency-import-check error

lint: setup
	swift format lint --strict --recursive Package.swift Sources Tests
	Tests/Rig/check-units.sh

# Thread and address sanitizer; each has a build directory of its own.
sanitize: setup
	$(SWIFT_BUILD) $(RELEASE) --product tendril-bench
	mkdir -p .build/programs && cp $(BIN)/tendril-bench .build/programs/
	for kind in thread address; do \
		export ASAN_OPTIONS=detect_leaks=0; \
		swift test --sanitize=$$kind --scratch-path .build/$$kind --skip IntegrationTests --skip AllocationTests && \
		swift build --sanitize=$$kind --scratch-path .build/$$kind --product tendril-vpn && \
		Tests/Rig/sanitize.sh .build/$$kind/debug/tendril-vpn .build/programs/tendril-bench || exit 1; \
	done

# Removes security checks one by one; a test must notice each time.
mutations: setup
	Tests/Rig/mutations.py

bench: build
	$(SWIFT_BUILD) $(RELEASE) --product tendril-bench
	Tests/Benchmarks/run.py --program $(BIN)/tendril-vpn --tools $(BIN)/tendril-bench --write docs/performance.md

demo: build
	TENDRIL_VPN=$(CURDIR)/$(BIN)/tendril-vpn Tests/Rig/demo.sh

install: build
	install -D -m 0755 $(BIN)/tendril-vpn $(DESTDIR)$(PREFIX)/bin/tendril-vpn
	strip $(DESTDIR)$(PREFIX)/bin/tendril-vpn
	install -D -m 0644 systemd/tendril-vpn-server.service $(DESTDIR)/lib/systemd/system/tendril-vpn-server.service
	install -D -m 0644 systemd/tendril-vpn-client.service $(DESTDIR)/lib/systemd/system/tendril-vpn-client.service
	install -D -m 0644 systemd/tendril-vpn.sysusers $(DESTDIR)/usr/lib/sysusers.d/tendril-vpn.conf

clean:
	rm -rf .build
