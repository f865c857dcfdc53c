# Every target sets up what it needs; when nothing is to be done, that costs nothing and prints nothing.
# Pass more to a command with ARGS, e.g. `make test ARGS="-k limiter -x"`; choose a Python with PYTHON=/path/to/python3.

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ARGS ?=
PYTHON ?=

VENV := .venv
BIN := $(VENV)/bin
# Newer than pyproject.toml and the lock: the environment holds what they say.
STAMP := $(VENV)/.up-to-date

.PHONY: help setup demo dev test check format bench lock clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP) ## make .venv with everything to run, test and benchmark
	@:

demo: $(STAMP) ## three voices talk with each other through a real server over real RTP; prints who heard whom
	@$(BIN)/python -m server demo $(ARGS)

dev: $(STAMP) ## run the server in the foreground: loopback only, no key needed
	@$(BIN)/python -m server --dev $(ARGS)

test: $(STAMP) ## run all tests, on several processors; with ARGS those it names, by one process
	@$(BIN)/python -m mixer.kernels
	@$(BIN)/python -m pytest $(or $(ARGS),-n auto)

check: $(STAMP) ## lint, formatting, types and import rules
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(STAMP) ## rewrite the code in the project's format
	@$(BIN)/ruff check --fix-only --quiet .
	@$(BIN)/ruff format .

bench: $(STAMP) ## measure CPU, lateness and delay; prints a table and writes JSON
	@$(BIN)/python -m mixer.kernels
	@$(BIN)/python -m bench $(ARGS)

lock: ## renew requirements.lock with the newest versions that pyproject.toml allows
	@sh scripts/lock.sh "$(PYTHON)"

clean: ## remove .venv, caches and build output; data/ and benchmark results stay
	@rm -rf $(VENV) dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): pyproject.toml requirements.lock
	@sh scripts/setup.sh "$(PYTHON)"
	@touch $@
