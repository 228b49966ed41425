# Heliograph. `make help` lists the targets; setup is part of each and takes a fraction of a second when done.

PYTHON ?= python3
BIN := .venv/bin
NPM := PATH="$(CURDIR)/.venv/node:$$PATH" npm --prefix web
PYTEST := $(BIN)/python -m pytest
WORKERS ?= 2
say = @printf '\n\033[1m== %s\033[0m\n'

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-test demo dev test lint types floors web-test pytest soak bench format openapi wheel lock clean

help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 14

setup: ## what it takes to run: .venv, Node, web app, viewer
	@$(PYTHON) -m tools.setup

setup-test: ## the same and what the tests need (Chromium and DCMTK where we may install them)
	@$(PYTHON) -m tools.setup --test

demo: setup ## a demonstration network on this machine, at http://127.0.0.1:8080
	@exec $(BIN)/heliograph demo $(ARGS)

dev: setup ## the server, started anew when the code changes
	@exec $(BIN)/heliograph serve --reload $(ARGS)

test: setup-test lint types floors web-test pytest ## every check; stops at the first that fails (make -k test: does not)
	$(say) "all checks passed"

lint: setup-test
	$(say) "ruff"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: setup-test
	$(say) "mypy"
	@$(BIN)/mypy

floors: setup-test
	$(say) "import floors"
	@said=$$($(BIN)/lint-imports 2>&1) || { echo "$$said"; exit 1; }

web-test: setup-test
	$(say) "web: lint, types, tests"
	@$(NPM) run --silent lint
	@$(NPM) run --silent typecheck
	@$(NPM) run --silent test

pytest: setup-test
	$(say) "tests"
	@$(PYTEST) -q -n $(WORKERS) --dist loadgroup -m "not soak" $(ARGS)

soak: setup-test ## the long versions of the crash and load tests
	@$(PYTEST) -q -m soak --timeout 3600 $(ARGS)

bench: setup-test ## measure; the figures go to .bench/latest.json
	@exec $(BIN)/python -m tools.bench $(ARGS)

format: setup-test ## put the Python code in order
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format .

openapi: setup ## web/openapi.json and the web app's types, from the server's code
	@$(BIN)/python -m tools.openapi
	@$(NPM) run --silent openapi

wheel: setup ## dist/heliograph-*.whl with the web app, the viewer and the migrations inside
	@rm -rf dist
	@$(BIN)/python -m hatchling build --target wheel

lock: ## pin requirements/*.txt anew (UPGRADE=1: to the newest versions)
	@$(PYTHON) -m tools.lock $(if $(UPGRADE),--upgrade)

clean: ## remove what was built here; the data folder .heliograph stays
	@rm -rf .venv .cache .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist
	@rm -rf web/node_modules src/heliograph/app/static
