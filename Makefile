# Each verb bootstraps what it needs into .venv. Needs only Python >= 3.11 and make.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= $(firstword $(foreach v,3.11 3.12 3.13 3,$(shell command -v python$(v) 2>/dev/null)))
UV_VERSION := 0.13.9
VENV := .venv
NODE := schemas/node
BIN := $(VENV)/bin
PROJECTS := $(wildcard schemas/python/pyproject.toml schemas/tools/pyproject.toml libs/*/pyproject.toml services/*/pyproject.toml deploy/local/pyproject.toml)
PACKAGES := $(patsubst %/pyproject.toml,%,$(PROJECTS))
# time-outs are the migration runner's; counters and versions fit 32 bits; a new table needs no concurrent index
SQUAWK_OFF := require-timeout-settings,prefer-robust-stmts,require-concurrent-index-creation,prefer-bigint-over-int,prefer-bigint-over-smallint
MIGRATIONS = $(wildcard libs/chassis/src/*/migrations/*.sql services/*/src/*/store/migrations/*.sql)
# not exported: a test that runs uv in a project of its own would change this environment
SYNC = UV_PROJECT_ENVIRONMENT=$(CURDIR)/$(VENV) $(BIN)/uv sync --quiet --frozen --all-packages --inexact

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.run ## play a day of March 2020 on real Kafka and Postgres, and show what became of every referral
	@$(BIN)/bdcan demo

up: $(VENV)/.run ## start everything and leave it running
	@$(BIN)/bdcan up --detach

down: $(VENV)/.run ## stop what `make up` started
	@$(BIN)/bdcan down

test: $(VENV)/.dev ## all tests, on real Kafka and Postgres
	@$(BIN)/pytest

check: $(VENV)/.dev ## format, lint, types, boundaries, contracts: fast enough to run before every commit
	@$(BIN)/ruff format --check --quiet . || { echo "run: $(BIN)/ruff format ." >&2; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m bdcan_contract_tools check
	@PATH=$(CURDIR)/$(BIN):$$PATH $(BIN)/lint-imports --no-cache > .import-linter.log || { cat .import-linter.log; exit 1; }
	@for project in $(PACKAGES); do (cd $$project && $(CURDIR)/$(BIN)/deptry src --no-ansi > .deptry.log 2>&1) || { cat $$project/.deptry.log; exit 1; }; done
	@$(BIN)/codespell
	@$(BIN)/shellcheck .ci/run deploy/kafka/*.sh deploy/prometheus/check.sh examples/upstream/kcat/*.sh
	@deploy/prometheus/check.sh
	@$(BIN)/squawk --exclude $(SQUAWK_OFF) $(MIGRATIONS) > .squawk.log 2>&1 || { cat .squawk.log; exit 1; }
	@$(BIN)/kingfisher scan . --git-history=none --no-validate --no-update-check --quiet --redact --rule-cache-dir $(VENV)/.kingfisher \
	  --exclude .venv --exclude .local --exclude .git --exclude node_modules --exclude build > .kingfisher.log 2>&1 || { cat .kingfisher.log; exit 1; }
	@$(BIN)/uv lock --check --quiet
	@$(BIN)/basedpyright --pythonpath $(BIN)/python
	@if [ -e $(NODE)/node_modules/.package-lock.json ] || $(MAKE) --silent node; then node $(NODE)/asyncapi.mjs schemas/asyncapi.yaml; \
	  else echo "check: AsyncAPI's parser is left out, because Node 20 or npm is missing or npm cannot install"; fi
	@echo "check: all is well"

promtool: ## build promtool and Prometheus with Go, for the tests of alerts and dashboards (minutes, once)
	@deploy/prometheus/check.sh build

resilience: $(VENV)/.dev ## fault runs: SECONDS=600 SEED=7 (docs/resilience.md)
	@$(BIN)/python -m tests.resilience $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED)) $(if $(REFERRALS),--referrals $(REFERRALS))

rehearse: $(VENV)/.dev ## inject each fault: when does the right alert fire, and what else? ONLY=kafka CALM=600 (docs/operations.md)
	@$(BIN)/python -m tests.rehearsal $(if $(ONLY),--only "$(ONLY)") $(if $(CALM),--calm $(CALM))

mutants: $(VENV)/.dev ## break the chassis on purpose, one guarantee at a time: does a test notice? JOBS=2
	@$(BIN)/python -m tests.mutants $(if $(JOBS),--jobs $(JOBS))

bench: $(VENV)/.dev ## benchmarks, each beside its baseline, in one run
	@$(BIN)/python -m benchmarks

gen: $(VENV)/.dev ## generate again what is made from schemas/, migrations, metrics and dashboards
	@$(BIN)/python -m bdcan_contract_tools generate
	@$(BIN)/python -m bdcan_local.schema_files
	@$(BIN)/python -m bdcan_local.metrics_page
	@$(BIN)/python -m bdcan_local.privacy_page
	@$(BIN)/python -m deploy.grafana

node: ## install the Node tools of schemas/node, which docs, check and some tests use
	@node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' && cd $(NODE) && npm ci --silent

docs: $(VENV)/.dev ## show events and APIs as pages: build/docs/index.html (needs Node 20)
	@[ -e $(NODE)/node_modules/.package-lock.json ] || $(MAKE) --silent node
	@$(BIN)/python -m bdcan_local.api_documents build/openapi
	@node $(NODE)/pages.mjs build/docs schemas/asyncapi.yaml build/openapi/*.json
	@echo "build/docs/index.html"

sbom: $(VENV)/.dev ## write sbom.cdx.json: all packages and jars that the system is made of (CycloneDX)
	@$(BIN)/python -m bdcan_local.sbom sbom.cdx.json

scan: $(VENV)/.dev ## look for known vulnerabilities of all packages; OSV_URL=... asks a mirror of OSV instead of api.osv.dev
	@$(BIN)/uv audit --frozen --preview-features audit-command $(if $(OSV_URL),--service-url $(OSV_URL))

clean: ## remove .venv and local data (stop first: make down)
	rm -rf $(VENV) .local

$(BIN)/uv:
	@$(PYTHON) -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "Python >= 3.11 with its venv module is needed (Debian and Ubuntu: apt install python3-venv)." \
	       "Found: $$($(PYTHON) --version 2>&1 || echo none). Name another with: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.run: uv.lock pyproject.toml $(PROJECTS) | $(BIN)/uv
	@echo "installing (once) ..." && $(SYNC) --no-dev && touch $@

$(VENV)/.dev: uv.lock pyproject.toml $(PROJECTS) | $(BIN)/uv
	@echo "installing (once) ..." && $(SYNC) && touch $@ $(VENV)/.run

.PHONY: help demo up down test check promtool resilience rehearse mutants bench gen node docs sbom scan clean
