# `make help` lists what there is. Everything that is built is kept: Python in .venv, the rest in $(HOLDFAST_CACHE),
# by default ~/.cache/holdfast.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/pip --quiet --disable-pip-version-check
COMPILE := $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-find-links \
	--no-emit-trusted-host --allow-unsafe --strip-extras
say = @printf '\n== %s\n' "$(1)"

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z0-9-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: setup ## The main job on real parts, to watch: MongoDB, Kubernetes, a policy, backups, a proven restore
	@$(BIN)/python -m tests.demo

.PHONY: demo-down
demo-down: setup ## Stop what the demo started
	@$(BIN)/python -m tests.demo down

.PHONY: test
test: unit integration e2e ## All tests

.PHONY: unit
unit: setup ## Tests of the rules: seconds, nothing started
	$(call say,Unit tests)
	@$(BIN)/python -m pytest tests/unit --numprocesses 2 --cov --cov-report=
	@$(BIN)/coverage report --include='*/domain/*,*/repository/*,*/specs/*'

.PHONY: integration
integration: setup ## Tests on a real MongoDB and a real API server
	$(call say,Integration tests)
	@$(BIN)/python -m tests.cluster tools >/dev/null
	@$(BIN)/python -m pytest tests/integration --numprocesses 3 --dist loadfile

.PHONY: e2e
e2e: setup cluster-up ## Tests of the operator in a real Kubernetes, installed by Helm
	$(call say,End-to-end tests)
	@$(BIN)/python -m pytest tests/e2e

.PHONY: test-faults
test-faults: setup ## Kill and cut off everything at random while backups run; MINUTES=15 SEED=1 (about 12 minutes more)
	$(call say,Faults)
	@$(BIN)/python -m tests.faults --minutes $(or $(MINUTES),15) $(if $(SEED),--seed $(SEED)) $(if $(REPORT),--report $(REPORT))

.PHONY: bench
bench: setup ## Measure speed, size and memory, and write the table in bench/README.md (about 15 minutes)
	@$(BIN)/python -m bench

.PHONY: bench-oplog
bench-oplog: setup ## Measure how fast an oplog is archived and replayed, and write the table in bench/README.md (about 6 minutes)
	@$(BIN)/python -m bench.oplog

.PHONY: together
together: setup ## Measure one pod against two, for a backup and a restore, and write the table in bench/README.md
	@$(BIN)/python -m bench.together

.PHONY: huge
huge: setup ## Measure what 2.5 million chunks take to commit, verify and prune, and write the table in bench/README.md
	@$(BIN)/python -m bench.huge

.PHONY: scale
scale: setup ## Measure the operator with 500 policies, and write the table in bench/README.md (about 15 minutes)
	@$(BIN)/python -m bench.scale

.PHONY: web-bench
web-bench: setup ## Measure the HTTP API under load, and write the table in bench/README.md (about 5 minutes)
	@$(BIN)/python -m bench.web

.PHONY: check
check: lint types chart-lint docs audit-where-possible ## Lint, types, import rules, chart, documents, known weaknesses

.PHONY: lint
lint: setup ## ruff and the import rules
	$(call say,Lint)
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/lint-imports

.PHONY: types
types: setup ## mypy, strict
	$(call say,Types)
	@$(BIN)/mypy

.PHONY: chart-lint
chart-lint: setup ## helm lint, strict
	$(call say,Chart)
	@helm=$$($(BIN)/python -m tests.support.helm); "$$helm" lint --strict charts/holdfast

.PHONY: docs
docs: setup ## Build the documents as a site in build/docs; a link that leads nowhere fails
	$(call say,Documents)
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict  # with --quiet it would neither see nor count a warning

.PHONY: audit
audit: setup ## Ask whether a locked dependency has a known weakness; fails, too, if nobody can be asked
	$(call say,Audit)
	@$(BIN)/python -m tests.support.audit

.PHONY: audit-where-possible
audit-where-possible: setup
	$(call say,Audit)
	@$(BIN)/python -m tests.support.audit --where-possible

SBOM ?= build/sbom.cdx.json
.PHONY: sbom
sbom: setup ## Write the list of all that is in the image's Python as CycloneDX: build/sbom.cdx.json
	@mkdir -p $(dir $(SBOM))
	@$(BIN)/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
	  --output-reproducible --output-file $(SBOM)

.PHONY: release-notes
release-notes: setup ## Print what CHANGELOG.md says of a version: VERSION=0.1.0
	@$(BIN)/python -m tests.support.release_notes $(VERSION)

.PHONY: record-release
record-release: setup ## Keep what this release leaves behind, for the upgrade tests of all later ones
	@$(BIN)/python -m tests.cluster tools >/dev/null
	@$(BIN)/python -m tests.support.record_release

.PHONY: format
format: setup ## Format the code
	@$(BIN)/ruff check --fix --exit-zero --quiet
	@$(BIN)/ruff format

.PHONY: generate
generate: setup ## Make crds/, docs/schemas, options and reference, the chart's README and copies, and the manifests
	@$(BIN)/holdfast crds --output crds
	@rm -f docs/schemas/*.json && $(BIN)/python -m holdfast.cli.reference docs
	@rm -f charts/holdfast/crds-generated/*.yaml && cp crds/*.yaml charts/holdfast/crds-generated/
	@$(BIN)/python -m tests.support.chart_values
	@helm=$$($(BIN)/python -m tests.support.helm); \
	  "$$helm" template holdfast charts/holdfast --skip-tests --namespace holdfast-system > manifests/default/holdfast.yaml; \
	  "$$helm" template holdfast charts/holdfast --skip-tests --namespace my-team \
	    --set 'watchNamespaces={my-team},crds.install=false' > manifests/namespaced/holdfast.yaml

.PHONY: cluster-up
cluster-up: setup ## Start the local Kubernetes
	@$(BIN)/python -m tests.cluster up

.PHONY: cluster-down
cluster-down: setup ## Stop it
	@$(BIN)/python -m tests.cluster down

.PHONY: lock
lock: setup ## Make the lock files anew
	@$(COMPILE) --output-file=requirements/build.txt requirements/build.in
	@$(COMPILE) --output-file=requirements/runtime.txt pyproject.toml
	@$(COMPILE) --extra=dev --constraint=requirements/runtime.txt --output-file=requirements/dev.txt pyproject.toml

.PHONY: clean
clean: ## Remove what was made in this folder; the cache stays
	@rm -rf .venv .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist

# Each part is stamped with the hash of what it was made from: a second call, or another branch with the same locks,
# costs nothing.
.PHONY: setup
setup: ## Python's environment (the others call it)
	@[[ $$(uname -s) == Linux ]] || { echo "Holdfast is developed on Linux; this is $$(uname -s)." >&2; exit 1; }
	@wanted=$$(sha256sum < requirements/dev.txt); \
	  [[ -x $(BIN)/python && $$(cat .venv/locked 2>/dev/null) == "$$wanted" ]] || $(MAKE) environment
	@wanted=$$(sha256sum < pyproject.toml); \
	  [[ $$(cat .venv/installed 2>/dev/null) == "$$wanted" ]] || { \
	    $(PIP) install --no-deps --no-build-isolation --editable .; echo "$$wanted" > .venv/installed; }

# The lock is whole, so pip need not resolve anything: an older pip that does so fails as soon as a package that is asked
# for with an extra has a newer release than the lock's.
.PHONY: environment
environment:
	@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 or newer is missing: install python3." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version)." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing: install python3-venv." >&2; exit 1; }
	@echo "Setting up Python's environment in .venv"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(PIP) install --no-deps --require-hashes -r requirements/dev.txt && $(PIP) check
	@sha256sum < requirements/dev.txt > .venv/locked
