# The two commands of the README are `make run` and `make test`; both work on a fresh Debian 12 with Swift 6.3.
# `make help` lists the rest.

SHELL := /bin/bash
SWIFT ?= swift
PYTHON ?= /usr/bin/python3
# Each target says what it imports, or the build fails.
STRICT := --explicit-target-dependency-import-check error
BINARY := .build/release/dormouse
# Debian packages: what the build needs, what the README tries the gateway with, and what the tests need beside them.
BUILD_PACKAGES := git binutils gcc libc6-dev libstdc++-12-dev libssl-dev libsqlite3-dev
RUN_PACKAGES := mosquitto-clients
TEST_PACKAGES := $(RUN_PACKAGES) mosquitto tshark systemd paho.mqtt.c-examples python3 python3-venv procps iproute2

.PHONY: help run build install test unit end-to-end conformance conformance-report bench bench-durable bench-topics bench-devices bench-restart bench-check sim crash field-table fuzz format lint clean
.PHONY: build-packages run-packages test-packages

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 20

run: build run-packages ## build in release mode and run the gateway on gateway.conf
	@exec $(BINARY) run --config gateway.conf

build: build-packages ## build the release binary, .build/release/dormouse
	$(SWIFT) build -c release --product dormouse $(STRICT)

install: build-packages ## put binary, configuration and service in place, below DESTDIR=
	$(SWIFT) build -c release --product dormouse $(STRICT) --static-swift-stdlib --scratch-path .build-install
	install -D --strip .build-install/release/dormouse $(DESTDIR)/usr/bin/dormouse
	install -D -m 644 deploy/dormouse.service $(DESTDIR)/lib/systemd/system/dormouse.service
	install -D -m 644 deploy/dormouse.sysusers $(DESTDIR)/usr/lib/sysusers.d/dormouse.conf
	install -D -m 644 README.md $(DESTDIR)/usr/share/doc/dormouse/README.md
	[ -e $(DESTDIR)/etc/dormouse/gateway.conf ] || install -D -m 644 gateway.conf $(DESTDIR)/etc/dormouse/gateway.conf

test: test-packages build ## install what the tests need and run all of them
	@Tests/run

unit: build-packages ## the Swift tests alone: modules, engine, simulation
	$(SWIFT) test --disable-xctest $(STRICT)

end-to-end: test-packages build ## the tests with real clients alone
	@Tests/run end-to-end

conformance: ## print which test shows which statement of the standards; fails when one is missing
	@$(PYTHON) Tests/Conformance/report.py

conformance-report: ## write the same into docs/CONFORMANCE.md
	@$(PYTHON) Tests/Conformance/report.py --write

bench: test-packages build ## the gateway against mosquitto in the same run
	@Benchmarks/run

bench-durable: test-packages build ## what durability costs, for each profile, and mosquitto with its persistence
	@Benchmarks/durable

bench-topics: build-packages ## what a million subscriptions and 100,000 retained topics cost
	@$(SWIFT) run -c release $(STRICT) bench-topics $(if $(QUICK),--quick)

bench-devices: build-packages ## what 100,000 devices cost, connected, asleep, and with messages that wait
	@$(SWIFT) run -c release $(STRICT) bench-devices $(if $(QUICK),--quick)

bench-restart: build-packages ## what a restart with 100,000 messages that wait costs, and a commit
	@$(SWIFT) run -c release $(STRICT) bench-restart $(if $(QUICK),--quick)

bench-check: build-packages ## count the instructions and allocations of a message, and hold them against Benchmarks/thresholds.json
	@.ci/install-packages valgrind
	@$(SWIFT) build -c release --product bench-core $(STRICT)
	@Benchmarks/check

sim: ## simulate a seed, SEED=1, with CRASHES=1, a SWARM=1, SLEEPERS=1, all for a time, MINUTES=5, or a FIELD=1 for HOURS=72
	@$(SWIFT) run -c release $(STRICT) simulate $(if $(SEED),--seed $(SEED)) \
		$(if $(CRASHES),--crashes --seed $(CRASHES)) $(if $(SWARM),--swarm --seed $(SWARM)) $(if $(SLEEPERS),--sleepers --seed $(SLEEPERS)) \
		$(if $(MINUTES),--minutes $(MINUTES)) \
		$(if $(FIELD),--field --seed $(FIELD)) $(if $(DEVICES),--devices $(DEVICES)) $(if $(HOURS),--hours $(HOURS))

crash: build ## kill the gateway under load and count what was lost, ROUNDS=20 SEED=1, one DURABILITY=disk|process
	@$(PYTHON) Tests/Crash/crash.py --rounds $(or $(ROUNDS),20) --seed $(or $(SEED),1) \
		$(if $(DURABILITY),--durability $(DURABILITY))

field-table: ## write what loss costs into Tests/Simulation/field.txt; docs/FIELD.md shows it
	@$(SWIFT) build -c release $(STRICT) --product simulate
	@.build/release/simulate --field-table >.build/field.txt && mv .build/field.txt Tests/Simulation/field.txt

fuzz: build-packages ## fuzz what takes bytes from strangers: TARGET=decoder|connection|filters|websocket|sn-decoder|device|tls MINUTES=20
	@Tests/Fuzz/run $(TARGET) $(or $(MINUTES),20)

format: ## lay the source out
	$(SWIFT) format --in-place --recursive --parallel Package.swift Sources Tests

lint: ## check the source's layout
	$(SWIFT) format lint --strict --recursive --parallel Package.swift Sources Tests

clean: ## remove what was built
	rm -rf .build

build-packages:
	@.ci/install-packages $(BUILD_PACKAGES)

run-packages:
	@.ci/install-packages $(RUN_PACKAGES)

test-packages:
	@.ci/install-packages $(TEST_PACKAGES)
