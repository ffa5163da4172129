# Lakeloop from a fresh checkout: `make run` and `make test` need git, make, Python 3.10 to 3.12 and Java 17 or 21.

PYTHON ?= python3
CONF ?= conf/flights
LAKEHOUSE := bronze raw_files silver history gold incremental_equals_full derive_progress net_changes concurrent_writers as_of lags touches difference planned_inputs told_by_silver tiles written_files
CONNECT ?= $(LAKEHOUSE:%=tests/spark/test_%.py)
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet install -c requirements.lock

.PHONY: install run test connect soak bench lint format ui status docs lock clean help

help:  ## what there is
	@grep -E '^[a-z]+:.*## ' Makefile | sed 's/:.*## /\t/' | expand -t 10

install: .venv/run.done  ## .venv with Lakeloop in it, for your own data

run: .venv/run.done  ## the whole loop on the example: lands its raw data, then runs every stage
	@$(BIN)/lakeloop land $(CONF)
	@$(BIN)/lakeloop run $(CONF)

test: .venv/test.done  ## all tests, in two processes
	@$(BIN)/python -m pytest -n 2

connect: .venv/test.done  ## the lakehouse's tests once more, on Spark Connect (CONNECT=tests/spark: all of Spark's)
	@$(BIN)/python -m pytest -n 2 --connect $(CONNECT)

soak: .venv/test.done  ## long tests: many random arrivals, kills
	@$(BIN)/python -m pytest tests -m soak

bench: .venv/bench.done  ## performance, as ratios measured in one run (BENCH='--days 60 --rounds 1': a short one)
	@$(BIN)/python -m bench $(BENCH)

lint: .venv/test.done  ## style, format, types
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: .venv/test.done  ## mend style and format
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

ui: .venv/run.done  ## the MLflow UI on http://127.0.0.1:5000
	@$(BIN)/lakeloop ui $(CONF)

status: .venv/run.done  ## tables, versions, models, last runs
	@$(BIN)/lakeloop status $(CONF)

docs: .venv/run.done  ## write docs/configuration.md and the editors' schema anew from the models
	@$(BIN)/python -c "from lakeloop.config.schema import reference; print(reference(), end='')" > docs/configuration.md
	@$(BIN)/lakeloop schema > conf/pipeline.schema.json

lock:  ## pin anew what setup.py asks for (needs uv)
	uv pip compile --quiet --universal --python-version 3.10 --all-extras --no-header --no-annotate setup.py -o requirements.lock

clean:  ## remove the environment and the local lakehouse
	rm -rf .venv lakehouse build dist

.venv/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "There is no $(PYTHON): install Python 3.10, 3.11 or 3.12, or name one: make run PYTHON=/path/to/python3.12"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is too old: Lakeloop needs Python 3.10, 3.11 or 3.12 (make run PYTHON=/path/to/python3.12)"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info >= (3, 13))' || { echo "$(PYTHON) is too new: what Lakeloop depends on has no wheels for it yet; it needs Python 3.10, 3.11 or 3.12 (make run PYTHON=/path/to/python3.12)"; exit 1; }
	@$(PYTHON) -m venv .venv >/dev/null || { rm -rf .venv; echo "$(PYTHON) cannot make an environment: install its venv module (Debian and Ubuntu: apt install python3-venv)"; exit 1; }

.venv/run.done: .venv/bin/python setup.py requirements.lock
	@echo "installing Lakeloop into .venv (some minutes, once)"
	@$(PIP) setuptools wheel
	@$(PIP) --no-build-isolation -e '.[spark,example]'
	@touch $@

.venv/test.done: .venv/run.done
	@echo "installing what the tests need into .venv"
	@$(PIP) --no-build-isolation -e '.[spark,connect,example,notebooks,dev]'
	@touch $@

.venv/bench.done: .venv/run.done
	@echo "installing what the benchmarks need into .venv"
	@$(PIP) --no-build-isolation -e '.[spark,example,bench]'
	@touch $@
