# Two commands matter: `make demo` and `make test`. Both make the environment first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# The hot path, compiled where there is a C compiler: see docs/decisions/0035.
COMPILED := build/.compiled
SOURCES := $(shell cat compiled.txt)
BENCH_VENV := .venv-bench
BENCH_STAMP := $(BENCH_VENV)/.installed
LITELLM_VENV := .venv-litellm
LITELLM_STAMP := $(LITELLM_VENV)/.installed

# Some images set it. Tests start hundreds of commands, and pytest rewrites 300 files in each process: each time anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: install litellm demo test test-fast chaos fuzz check bench quality quality-page slack-page docs format lock schemas clean

install: $(STAMP) $(COMPILED)

$(STAMP): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Tidegate needs Python 3.11 or newer; set PYTHON=...")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	COMPILE_HOT_PATH=0 $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

# By itself, so that who changes a source has it compiled again and nothing else installed again.
$(COMPILED): $(STAMP) setup.py compiled.txt $(SOURCES)
	$(BIN)/python setup.py --quiet build_ext --inplace || \
	  { echo 'The hot path did not compile; COMPILE_HOT_PATH=0 make install does without.' >&2; exit 1; }
	@# Commands find what all compiled modules share beside the packages.
	@$(BIN)/python -c 'import pathlib, sysconfig; pathlib.Path(sysconfig.get_path("purelib"), "tidegate-compiled.pth").write_text(str(pathlib.Path.cwd()))'
	@mkdir -p build
	@touch -c tidegate__mypyc.*.so
	@touch $(COMPILED)

demo: install
	$(BIN)/tidegate demo $(ARGS)

# Two processes, a file of tests at a time; those that start brokers first (tests/conftest.py). Faults come by themselves,
# on a broker of their own: it is killed, and has to be back in time. There 5 says that ARGS choose none of them.
SHARED := -n 2 --dist loadfile --no-loadscope-reorder

test: check litellm
	$(BIN)/python -m pytest $(SHARED) --ignore=tests/chaos $(ARGS)
	$(BIN)/python -m pytest tests/chaos $(ARGS) || test $$? -eq 5

# Everything but what starts brokers and processes, with few examples of what hypothesis tries.
test-fast: install
	$(BIN)/python -m pytest -m "not integration and not processes and not slow" $(SHARED) --hypothesis-profile=fast $(ARGS)

# The fault suite in its long form; `make test` runs a short one. ARGS="-k 3" takes three workers only.
chaos: install
	TIDEGATE_TEST_CHAOS_LONG=1 $(BIN)/python -m pytest tests/chaos -rP --show-capture=stdout $(ARGS)

# Records of every format, spoiled for a minute. ARGS="--seconds 3600" goes on for an hour.
fuzz: install
	$(BIN)/python -m benchmarks.fuzz $(ARGS)

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

# The programs that Tidegate is compared with live in an environment of their own.
bench: install $(BENCH_STAMP)
	$(BIN)/python -m benchmarks

# How well the detectors detect, on labelled scenarios. ARGS="--quick --seeds tune -v" is for tuning.
quality: install
	$(BIN)/python -m benchmarks.quality $(ARGS)

# What `make quality` measured last, and new pictures, into docs/quality.md.
quality-page: install
	$(BIN)/python -m benchmarks.quality.pictures docs/pictures
	$(BIN)/python -m benchmarks.quality.page docs/quality.md

# Pictures of the messages in docs/slack.md. Needs Debian's Chromium.
slack-page: install
	$(BIN)/python -m benchmarks.slack docs/pictures

$(BENCH_STAMP): requirements-bench.lock
	test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	$(BENCH_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-bench.lock
	@touch $(BENCH_STAMP)

# LiteLLM's proxy with Tidegate's plug-in, for the tests of both together: 1.1 GB.
litellm: $(LITELLM_STAMP)

$(LITELLM_STAMP): requirements-litellm.lock
	test -x $(LITELLM_VENV)/bin/python || $(PYTHON) -m venv $(LITELLM_VENV)
	$(LITELLM_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-litellm.lock
	@touch $(LITELLM_STAMP)

# The documents as a site that opens from the disk: build/site/index.html.
docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Needs uv. The lock files name no registry: whoever installs uses their own.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --upgrade
lock:
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) pyproject.toml --group dev -o requirements-dev.lock
	$(LOCK) --group pyproject.toml:bench -o requirements-bench.lock
	$(LOCK) pyproject.toml --extra litellm -o requirements-litellm.lock

schemas: install
	$(BIN)/python -m streamer.schemas docs/schemas
	$(BIN)/python -m streamer.reference examples/tidegate.toml docs/configuration.md
	$(BIN)/python -m streamer.web.reference docs/metrics.md

clean:
	rm -rf $(VENV) $(BENCH_VENV) $(LITELLM_VENV) build *.egg-info
	rm -f *.so
	find streamer detectors -name '*.so' -delete
