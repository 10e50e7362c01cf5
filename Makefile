# Two commands do everything on a fresh Debian or Ubuntu: `make demo` and `make test`.
# Needs python3 (3.11 or later), python3-venv and git; everything else goes into .venv.

PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
DEMO := $(BIN)/mirror demo $(if $(ONCE),--once) $(if $(OUT),--out $(OUT))

# Some machines tell Python to keep nothing it has compiled: then each of the hundreds of processes
# that the tests start would compile all modules anew, 0.8 s of processor time.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test coverage lint install bench faults fuzz lab lock clean

demo: install
	$(DEMO)

test: .venv/dev
	$(MAKE) --no-print-directory lint
	COVERING="$(notdir $(PURE))" tests/alone $(BIN)/python -m pytest $(TWO) $(if $(COVERED),$(COVER)) $(PYTEST)

# Two processes, each with whole files: what a file's tests share is started once. They come in the
# order that tests/conftest.py gives them.
TWO := -n 2 --dist loadfile --no-loadscope-reorder

# The pure parts that decide trust are covered branch by branch, by the tests in files of their own:
# alone by `make coverage`, and in the one run of all tests by `make test COVERED=1`, as in CI.
PURE := $(wildcard tests/test_formats_*.py) $(addprefix tests/test_,$(addsuffix .py,site signer verify listing roots audit))
COVER := --cov=mirror.formats --cov=mirror.verify --cov=mirror.site --cov-branch \
	--cov-report=term-missing:skip-covered --cov-fail-under=100
coverage: .venv/dev
	$(BIN)/python -m pytest -q $(TWO) $(PURE) $(COVER)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/bench
	$(BIN)/python -m bench

# A thousand random kills; CI runs forty of them inside `make test`.
faults: .venv/dev
	KILLS=1000 $(BIN)/python -m pytest tests/faults -q --timeout=0 -o faulthandler_timeout=0
	REPLAY=whole $(BIN)/python -m pytest tests/test_replay.py -q -s --timeout=0 -o faulthandler_timeout=0

# Feeds made up by grammar, until the time is over; `make test` tries a few.
fuzz: .venv/dev
	@end=$$(($$(date +%s) + $${FUZZ_S:-600})); while [ $$(date +%s) -lt $$end ]; do \
		FUZZ=2 tests/alone $(BIN)/python -m pytest -q tests/test_fuzz.py || exit 1; done

# What reaches a reader past a censor, measured anew and kept (root; two minutes).
lab: .venv/dev
	tests/alone env PYTHONPATH=tests $(BIN)/python -m lab.table

install: .venv/installed

.venv/installed: requirements-build.lock requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(PIP) install --quiet --require-hashes -r requirements-build.lock
	$(PIP) install --quiet --require-hashes --no-build-isolation -r requirements.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	touch $@

.venv/dev: .venv/installed requirements-dev.lock
	$(PIP) install --quiet --require-hashes --no-build-isolation -r requirements-dev.lock
	touch $@

.venv/bench: .venv/dev requirements-bench.lock
	$(PIP) install --quiet --require-hashes --no-deps --no-build-isolation -r requirements-bench.lock
	touch $@

# Renew the lock files (needs uv); commit the result. What builds is locked, too, and comes first:
# the few packages that exist as source only are built with it, and not with what pip would fetch.
LOCK := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-find-links
lock:
	printf 'hatchling==1.33.0\neditables\nsetuptools\nwheel\n' | $(LOCK) --upgrade - -o requirements-build.lock
	$(LOCK) --upgrade pyproject.toml -o requirements.lock
	$(LOCK) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock
	$(LOCK) --extra bench -c requirements.lock -c requirements-dev.lock pyproject.toml -o requirements-bench.lock

clean:
	rm -rf .venv
