# Two commands matter: `make demo` and `make test`. Both make the environment first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.PHONY: install demo test test-fast check bench format lock schemas clean

install: $(STAMP)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tidegate needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

demo: install
	$(BIN)/tidegate demo $(ARGS)

test: check
	$(BIN)/python -m pytest $(ARGS)

# Everything but what starts brokers and processes.
test-fast: install
	$(BIN)/python -m pytest -m "not integration" $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: install
	$(BIN)/python -m benchmarks.pipeline

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv. The lock files name no registry: whoever installs uses their own.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade
lock:
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -o requirements-dev.lock

schemas: install
	$(BIN)/python -m streamer.schemas docs/schemas

clean:
	rm -rf $(VENV) build *.egg-info
