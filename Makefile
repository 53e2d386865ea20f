# Siegel. `make run` starts a service on this machine; `make check` and `make test` tell whether the code holds.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run check test clients faults bench docs lock clean

BIN := .venv/bin
# Where `make run` keeps the service's data, and the access key of its first account (the customer's side, not the service's).
DATA ?= data
CREDENTIALS ?= .credentials
# More flags for the service, as in: make run SERVE="--s3 127.0.0.1:0"
SERVE ?=
# Processes that share the tests: one for each core, and one that works while others wait for a service, a witness or a clock.
TEST_PROCESSES ?= $(shell expr $$(nproc) + 1)
# More flags for pytest, the real clients, the faults and the bench.
ARGS ?=

help: ## List what can be made
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

run: ## Start a service on this machine, and print lines to paste for aws, boto3 and rclone
	@tools/environment.sh run
	@# A key of an earlier service is kept: nothing that exists is overwritten.
	@if [ ! -e $(DATA)/siegel.toml ] && [ "$(CREDENTIALS)" = .credentials ] && [ -e .credentials ]; then \
		mv --backup=numbered .credentials .credentials.earlier; fi
	@if [ ! -e $(DATA)/siegel.toml ]; then $(BIN)/siegel init $(DATA) --credentials $(CREDENTIALS); \
	elif [ ! -e $(CREDENTIALS) ]; then $(BIN)/siegel account create "local-$$(date +%s)" --data $(DATA) --credentials $(CREDENTIALS); fi
	@exec $(BIN)/siegel serve $(DATA) --hints $(CREDENTIALS) $(SERVE)

check: ## Format, lint, types, import contracts, and the rules of the house
	@tools/environment.sh dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/pytest -q tests/house $(ARGS)

test: ## Every test that needs nothing but this machine's Python (installs SoftHSM, as root)
	@tools/environment.sh dev
	@tools/softhsm.sh
	@# One hash seed for all processes: they must find the same tests in the same order.
	PYTHONHASHSEED=$$RANDOM $(BIN)/pytest -q -n $(TEST_PROCESSES) $(ARGS)

clients: ## Real S3 clients against a running service (installs them under .clients)
	@tools/environment.sh dev
	@# A client's tests go one after the other, the clients side by side, each process with stores of its own.
	tests/clients/run.sh -n $$(nproc) --dist loadfile $(ARGS)

faults: ## Kills, full disks, failing syncs, flipped bits: what was acknowledged must be there (needs root, strace)
	@tools/environment.sh dev
	@tools/softhsm.sh
	$(BIN)/python -m tests.fault $(ARGS)

bench: ## Measure the service against floors taken in the same run (needs wrk)
	@tools/environment.sh dev
	$(BIN)/python -m bench $(ARGS)

docs: ## Write the pages that are generated from code
	@tools/environment.sh dev
	$(BIN)/python -m tests.house.pages
	$(BIN)/python tests/clients/client_pages.py

lock: ## Bring uv.lock up to date with pyproject.toml
	@tools/environment.sh dev
	$(BIN)/uv lock

clean: ## Remove what was made, except the data
	rm -rf .venv .clients .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache .coverage
