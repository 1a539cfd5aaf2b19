# Everything a developer runs. `make demo` and `make test` are enough on a bare Debian or Ubuntu machine
# with Python 3.11 or newer; they install what they need into .venv (and, where they may, by apt-get).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo run test compose-test fuzz mutants check format bench bench-ingress bench-memory bench-screener bench-delivery lock clean

CONFIG ?= sluice.toml
ARGS ?=
READY := .venv/.ready
export FUZZ_SECONDS ?= 300
export KEEP

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(READY): requirements/dev.lock pyproject.toml scripts/venv
	@scripts/venv

demo: $(READY) ## a self-contained demonstration: one row per case, expected beside actual
	@.venv/bin/sluice demo $(ARGS)

run: $(READY) ## all three stages in one process on the embedded broker, configured by CONFIG=sluice.toml
	@.venv/bin/sluice up --config $(CONFIG) $(ARGS)

test: $(READY) ## every test but the compose ones; ARGS are pytest's
	@scripts/tests $(ARGS)

compose-test: $(READY) ## the containers, for real: needs Docker with the compose plugin
	@scripts/compose-tests $(ARGS)

fuzz: $(READY) ## ingress on octets nobody has thought of, for FUZZ_SECONDS=300; KEEP=1 renews tests/fuzz/corpus
	@scripts/fuzz $(ARGS)

mutants: $(READY) ## each rule of the screener taken out by itself, to see a test fail; ARGS=mime for one folder of it
	@.venv/bin/python -m tests.mutants $(ARGS)

check: $(READY) ## lint, format and types, tests and benchmarks included
	@.venv/bin/ruff check --quiet .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy --no-error-summary services shared tests bench
	@echo "lint, format and types: ok"

format: $(READY) ## what the formatter and the linter can mend by themselves
	@.venv/bin/ruff check --fix --quiet . || true
	@.venv/bin/ruff format .

bench: $(READY) ## throughput beside Postfix as the same relay; installs Postfix's smtp-source and smtp-sink
	@scripts/debian-packages postfix rabbitmq-server || true
	@.venv/bin/python bench/relay $(ARGS)

bench-ingress: $(READY) ## the front door beside aiosmtpd, a bare protocol and Postfix's smtpd
	@scripts/debian-packages postfix || true
	@ulimit -n 20000; PYTHONPATH=. .venv/bin/python -m bench.ingress $(ARGS)

bench-memory: $(READY) ## the memory of ingress while 500 clients send 30 MB each
	@scripts/debian-packages rabbitmq-server || true
	@ulimit -n 20000; PYTHONPATH=. .venv/bin/python -m bench.ingress.memory $(ARGS)

bench-screener: $(READY) ## the screener beside the standard library's email
	@PYTHONPATH=. .venv/bin/python -m bench.screener $(ARGS)

bench-delivery: $(READY) ## a full queue for 500 slow domains beside Postfix
	@scripts/debian-packages postfix rabbitmq-server || true
	@ulimit -n 20000; PYTHONPATH=. .venv/bin/python -m bench.delivery $(ARGS)

lock: ## pin the dependencies again; UPGRADE=1 takes the newest that fit
	@scripts/lock

clean: ## remove what was built or installed here
	@rm -rf .venv .state dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
