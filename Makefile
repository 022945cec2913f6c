# Everything a newcomer needs: `make run` shows the product, `make test` proves it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
COMPILED := build/compiled

.PHONY: run test soak bench compiled fmt lint types check clean machine

run: $(STAMP)
	@$(BIN)/cti-bridge demo

# `machine` gets the real PBX, the browser and the SIP load tool where it may (root and Debian); elsewhere those tests skip.
test: $(STAMP) machine
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest

# Bad days in an hour: calls by the thousand on a real Asterisk while everything breaks (docs/performance.md), a kill at each step of
# the service twenty times over, and each event of each recording lost, doubled and swapped.
soak: $(STAMP) machine
	$(BIN)/python -m tests.soak
	CTI_TEST_KILLS=20 CTI_TEST_EVERY_NTH_CUT=1 CTI_MATRIX=whole $(BIN)/pytest --timeout=1800 tests/system/test_kill_points.py \
	  tests/properties/test_mid_stream.py tests/properties/test_tracker.py

# All figures as a compiled wheel gives them, then parsing and tracking again in plain Python.
bench: compiled
	PYTHONPATH=$(COMPILED):. $(BIN)/python -P -m bench
	$(BIN)/python -m bench parse

# The wheel whose hot path is C (tools/compiled_wheel.py), unpacked beside the sources and not into them.
compiled: $(STAMP)
	rm -rf build
	HATCH_BUILD_HOOK_ENABLE_CUSTOM=1 $(BIN)/pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation -w build .
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --target $(COMPILED) build/*.whl

fmt: $(STAMP)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

lint: $(STAMP)
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

types: $(STAMP)
	$(BIN)/mypy

machine: $(STAMP)
	@$(BIN)/python -m tests.support.machine

$(STAMP): pyproject.toml requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf $(VENV) build .mypy_cache .ruff_cache .pytest_cache .hypothesis demo
