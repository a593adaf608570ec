# `make run` (the whole stack), `make test` (every promise), `make full` (the longer tests too) and `make quick` (most of
# them, in under three minutes) set up what they need.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_CONSTRAINT=constraints.txt $(BIN)/pip install --quiet
# Real servers and toolchains for tests; without them those tests are skipped.
TEST_PACKAGES := chromium clickhouse-server maven openjdk-17-jdk-headless openssl prometheus zookeeper
SET_UP_INPUTS := pyproject.toml clients/python/pyproject.toml constraints.txt
HOTPATH := $(wildcard server/hotpath/*.toml server/hotpath/Cargo.lock server/hotpath/*.rs server/hotpath/*.binpb server/hotpath/src/*.rs server/hotpath/src/*/*.rs)

NPM_PACKAGES := console clients/browser clients/typescript tests/corpora
CONSOLE_BUILT := server/qrumb_server/console/index.html
CONSOLE := $(wildcard console/*.json console/*.mjs console/src/*.* console/src/pages/*)

.PHONY: run demo test full quick check fresh audit secrets clients-test lint types generate constraints release fuzz soak bench bench-smoke docs screenshots setup setup-dev geoip baseline image-packages images clean help

help: ## what the targets do
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

run: setup ## run the whole stack in the foreground (HTTP_PORT, GRPC_PORT, DATA_DIR)
	@exec $(BIN)/qrumb serve

demo: setup ## a node of its own with a day of believable traffic, and what to ask it (HTTP_PORT, GRPC_PORT, DATA_DIR)
	@exec $(BIN)/python tools/demo.py

test: setup-dev ## every check, and every test but the longer ones
	@$(MAKE) --no-print-directory check
	@tools/debian.sh $(TEST_PACKAGES)
	@$(MAKE) --no-print-directory $(VENV)/.ready-java $(VENV)/.ready-npm
	@tests/run

full: test ## make test, and the longer tests of what it has tested in short
	@tests/run -m long
	@TEST_EXAMPLES=1 tests/run tests/property tests/fuzz tests/integration/node/test_openapi.py tests/integration/scenarios/test_scenarios.py

quick: $(VENV)/.ready-dev third_party/.ready ## the fast lane: unit, property and contract tests, the embedded store; no toolchain, no Envoy
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	@tests/run tests/unit tests/property tests/contract tests/integration/store/test_contract.py -m "not slow and not clickhouse_server and not long and not soak"

check: setup-dev lint types fresh secrets audit ## format, lint, types, contract, generated code, secrets in files, known faults of packages

lint: setup-dev
	$(BIN)/ruff format --check --quiet .
	$(BIN)/ruff check --quiet .
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code proto
	$(BIN)/buf breaking proto --against proto/baseline.binpb
	$(BIN)/python tools/hotpath.py check

types: setup-dev
	$(BIN)/mypy

fresh: setup-dev
	tools/fresh.sh

secrets: setup-dev
	$(BIN)/python tools/secret_scan.py

audit: setup-dev
	$(BIN)/python tools/audit.py

generate: setup-dev ## regenerate all generated code from proto/
	$(BIN)/python tools/generate.py

clients-test: setup-dev ## build and test the clients in every language whose toolchain is there; writes docs/clients.md
	@rm -f $(VENV)/client-results
	@CLIENT_RESULTS=$(CURDIR)/$(VENV)/client-results GO_RACE=1 tests/run tests/integration/clients
	@CLIENT_RESULTS=$(CURDIR)/$(VENV)/client-results $(BIN)/python -m pytest -n 0 -q -m long tests/integration/clients/test_browser.py tests/integration/clients/test_spool.py
	@$(BIN)/python tools/clients_table.py $(VENV)/client-results

release: setup-dev ## build what is published into dist/, and install and try each client from there: docs/releasing.md
	@$(BIN)/python tools/release.py dist
	@RELEASE=$(CURDIR)/dist $(BIN)/python -m pytest tests/integration/clients/test_published.py -m long -n 0 -q

baseline: setup-dev ## on a release: make today's contract the one that must not be broken
	$(BIN)/python tools/baseline.py

fuzz: setup-dev ## fuzz the validators for FUZZ_SECONDS (300), a node with FUZZ_REQUESTS (200,000)
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-300} FUZZ_REQUESTS=$${FUZZ_REQUESTS:-200000} $(BIN)/python -m pytest tests/fuzz -n 0 -q -s

soak: setup-dev ## one node, then two, under load and faults for SOAK_SECONDS (600) each, the one on until SOAK_EVENTS and SOAK_FAULTS; days of 4,000 arrivals against their oracle; 1,000 restarts of the loader
	@SOAK_SECONDS=$${SOAK_SECONDS:-600} $(BIN)/python -m pytest tests/faults/test_soak.py -m "" -n 0 -q -s
	@SOAK_SECONDS=$${SOAK_SECONDS:-600} $(BIN)/python -m pytest tests/faults/test_two_nodes.py -m "" -n 0 -q -s
	@DAY_ARRIVALS=$${DAY_ARRIVALS:-4000} $(BIN)/python -m pytest tests/integration/scenarios/test_day.py tests/faults/test_day.py -m "" -n 0 -q
	@$(BIN)/python -m pytest tests/faults/test_restarts.py -m soak -n 0 -q

bench: setup-dev ## the measurements of docs/performance.md and bench/README.md, an hour (BENCH_ROUNDS)
	$(BIN)/python -m bench.side_by_side
	$(BIN)/python bench/validators.py
	$(BIN)/python bench/access.py
	$(BIN)/python bench/places.py
	$(BIN)/python bench/attribution.py
	$(BIN)/python bench/clients.py
	$(BIN)/python bench/isolation.py

bench-smoke: setup-dev ## two ratios of it, against a clear loss
	@$(BIN)/python -m pytest tests/integration/node/test_bench_smoke.py -n 0 -q -m long

docs: $(VENV)/.ready-docs ## the documentation site, in build/docs/site
	@$(BIN)/python tools/docs_site.py

screenshots: setup-dev ## the console's pictures in docs/img, from a node of their own
	@SCREENSHOTS=$(CURDIR)/docs/img $(BIN)/python -m pytest tests/integration/console -n 0 -q -m screenshots

setup: $(VENV)/.ready $(VENV)/.ready-hotpath third_party/geoip/.ready $(CONSOLE_BUILT)
setup-dev: $(VENV)/.ready-dev third_party/.ready $(VENV)/.ready-plugins $(VENV)/.ready-go $(VENV)/.ready-java $(VENV)/.ready-hotpath $(CONSOLE_BUILT)

$(VENV)/bin/python:
	@echo "set-up: a Python environment in $(VENV)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "qrumb needs Python 3.11 or newer; set PYTHON")'
	@$(PYTHON) -m venv $(VENV) || { echo "set-up: Python's venv module is missing (Debian: python3-venv)"; exit 1; }

$(VENV)/.ready: $(SET_UP_INPUTS) | $(VENV)/bin/python
	@echo "set-up: packages, about a minute the first time"
	@$(PIP) -e clients/python -e .
	@touch $@

$(VENV)/.ready-dev: $(SET_UP_INPUTS) | $(VENV)/bin/python
	@echo "set-up: packages for the tests"
	@$(PIP) -e clients/python -e '.[dev]'
	@touch $@ $(VENV)/.ready

$(VENV)/.ready-docs: $(SET_UP_INPUTS) | $(VENV)/bin/python
	@$(PIP) -e clients/python -e '.[docs]'
	@touch $@

# Not having it stops nothing: events are judged in Python alone.
$(VENV)/.ready-hotpath: $(HOTPATH) | $(VENV)/bin/python
	@$(BIN)/python tools/hotpath.py

# Not having it stops nothing: the node runs without its console, and the next set-up tries again.
$(CONSOLE_BUILT): $(CONSOLE) tools/console.py | $(VENV)/bin/python
	@$(BIN)/python tools/console.py

third_party/.ready: tools/third_party.py constraints.txt | $(VENV)/.ready-dev
	@echo "set-up: the contract's imports into third_party/"
	@$(BIN)/python tools/third_party.py
	@touch $@

# Not having it stops nothing: the columns stay empty, and the next set-up tries again.
third_party/geoip/.ready: tools/geoip.py | $(VENV)/bin/python
	@$(BIN)/python tools/geoip.py

geoip: third_party/geoip/.ready ## the database of countries and cities, where it is not there yet

$(VENV)/.ready-plugins: tools/protoc_plugins.py | $(VENV)/.ready-dev
	@echo "set-up: the generators that are written in Go, about two minutes"
	@$(BIN)/python tools/protoc_plugins.py
	@touch $@

$(VENV)/.ready-go: clients/go/go.sum clients/go/phone/go.sum | $(VENV)/.ready-dev
	@echo "set-up: what the Go client is made of, two minutes"
	@$(BIN)/python tools/go_toolchain.py vet ./...
	@$(BIN)/python tools/go_toolchain.py -C phone vet ./...
	@touch $@

# Not having Maven stops nothing: the Java client's tests are skipped, and the next set-up tries again.
$(VENV)/.ready-java: clients/java/pom.xml tools/maven.py | $(VENV)/.ready-dev
	@$(BIN)/python tools/maven.py

# Not having npm stops nothing: the tests that need it are skipped.
$(VENV)/.ready-npm: $(NPM_PACKAGES:=/package-lock.json) | $(VENV)/.ready-dev
	@command -v npm > /dev/null || exit 0; echo "set-up: what the console and the clients in TypeScript are tested with"; \
	for package in $(NPM_PACKAGES); do (cd $$package && npm ci --silent --ignore-scripts --no-audit --no-fund) || exit 0; done; touch $@

image-packages: setup-dev ## the packages of the container images, by hash, at the versions of constraints.txt
	$(BIN)/python tools/image_packages.py

images: ## build the container images with buildah, and run them (as root, on Debian; BASE, BUILD_OPTIONS)
	@tools/debian.sh buildah mmdebstrap curl
	@deploy/docker/try.sh

constraints: $(VENV)/.ready-dev ## pin what is installed now
	$(BIN)/python tools/constraints.py

clean: ## remove what the set-up made (not the data)
	rm -rf $(VENV) third_party server/qrumb_server/console
