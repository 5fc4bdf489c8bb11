# `make test` and `make demo` do everything from a bare clone: check what the machine lacks and say the fix, create
# .venv, build, install, run. Running them again repeats only what changed.
PYTHON ?= python3
VENV ?= .venv
CORES ?= 2
# Versions that the checks were last seen to pass with; CONSTRAINTS= takes the newest of everything.
CONSTRAINTS ?= tools/constraints.txt

bin := $(VENV)/bin
pip := $(bin)/python -m pip --disable-pip-version-check --quiet
constrain := $(if $(CONSTRAINTS),--constraint $(CONSTRAINTS))
# One thread per process for BLAS: the tests run side by side.
single := OPENBLAS_NUM_THREADS=1 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
pytest := $(single) MPLBACKEND=Agg KERAS_BACKEND=torch $(bin)/python -m pytest -c pyproject.toml -n $(CORES)
# tests, and the examples in documents and docstrings
tested := ./tests ./README.md ./docs --doctest-modules --doctest-glob=*.md --pyargs shrinkage
# Keras has one backend per process: its tests and examples run again under each other backend, each test of many
# parameters with four of them; test-all takes them all.
keras_tested := ./tests/keras --doctest-modules --pyargs shrinkage.keras
# what is slow, and new random examples
everything := -m "" --hypothesis-profile=fresh
core_sources := $(shell find native cmake -type f) CMakeLists.txt
sources := $(core_sources) pyproject.toml README.md LICENSE $(shell find src -type f -not -name '*.pyc')

.DEFAULT_GOAL := help
.PHONY: help test test-all test-core check lint types stub contract format bench bench-blocks bench-quick bench-networks demo docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

demo: $(VENV)/done-train ## fits linear models and trains networks on real data; says where the reports are
	$(single) $(bin)/shrinkage demo --out demo-reports

test: $(VENV)/done-test test-core ## tests of the C++ core, of the installed package, and the examples in docstrings
	$(pytest) $(tested)
	$(pytest:torch=jax) $(keras_tested)

test-all: $(VENV)/done-all test-core ## the same with everything slow, every array library, peers and architectures of networks
	$(pytest) $(everything) $(tested)
	$(pytest:torch=jax) $(everything) $(keras_tested)
	$(pytest:torch=tensorflow) $(everything) $(keras_tested)

check: lint types stub contract test ## what continuous integration runs

test-core: build/core-tests/CTestTestfile.cmake
	$(bin)/cmake --build build/core-tests
	$(bin)/ctest --test-dir build/core-tests --output-on-failure --no-tests=error

lint: $(VENV)/done-tools ## ruff and codespell
	$(bin)/ruff check .
	$(bin)/ruff format --check --quiet .
	$(bin)/codespell

types: $(VENV)/done-test $(VENV)/done-tools
	$(bin)/basedpyright src

stub: $(VENV)/done-test
	$(bin)/python tools/stub.py --check

contract: $(VENV)/done-tools
	$(bin)/python -m pytest -c pyproject.toml -q tests/test_architecture.py

format: $(VENV)/done-tools ## lays out the Python and mends what ruff can mend
	$(bin)/ruff check --fix .
	$(bin)/ruff format .

bench: $(VENV)/done-test ## linear models beside six other libraries, by three criteria, as ratios (ROWS=a,b: some of them)
	$(single) $(bin)/python benchmarks/bench_linear.py $(if $(ROWS),--rows $(ROWS)) $(BENCH)
	$(if $(ROWS),,$(bin)/python benchmarks/run.py blocks)

bench-blocks: $(VENV)/done-test ## a file larger than the memory taken: 1.2 GB, or 8 GB with BENCH_BLOCKS=full
	$(bin)/python benchmarks/run.py blocks

bench-quick: $(VENV)/done-test ## the same beside the last recorded run, with the fastest peers of pip (3 minutes)
	$(single) $(bin)/python benchmarks/bench_linear.py --quick $(BENCH)

bench-networks: $(VENV)/done-test ## networks, imports, memory and repeats beside other libraries (most of an hour)
	$(bin)/python benchmarks/run.py all

docs: $(VENV)/done-docs ## the site, in build/site: every claim measured and checked (minutes the first time), pictures, reference
	$(single) KERAS_BACKEND=torch $(bin)/python tools/docs/build.py $(DOCS)
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=tools/docs $(bin)/python -m mkdocs build --strict --quiet --config-file build/site.yml
	KERAS_BACKEND=torch $(bin)/python tools/docs/check_site.py build/site

clean: ## forgets everything that was built
	rm -rf $(VENV) build dist demo-reports benchmarks/.envs .pytest_cache .ruff_cache .hypothesis

$(VENV)/pyvenv.cfg:
	@sh tools/preflight.sh $(PYTHON)
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/done-build: $(VENV)/pyvenv.cfg $(CONSTRAINTS)
	$(pip) install $(constrain) cmake ninja nanobind scikit-build-core
	@touch $@

$(VENV)/done-tools: $(VENV)/done-build
	$(pip) install $(constrain) basedpyright codespell pytest pytest-xdist ruff
	@touch $@

# Not editable: what is tested is what users get.
$(VENV)/done-train: $(VENV)/done-build $(sources)
	$(pip) install $(constrain) --no-build-isolation '.[train]'
	@touch $@

$(VENV)/done-test: $(VENV)/done-build $(sources)
	$(pip) install $(constrain) --no-build-isolation '.[test]'
	@touch $@ $(VENV)/done-train

$(VENV)/done-all: $(VENV)/done-test tools/constraints-all.txt
	$(pip) install $(constrain) -r tools/constraints-all.txt
	@touch $@

$(VENV)/done-docs: $(VENV)/done-test tools/constraints-docs.txt
	$(pip) install $(constrain) -r tools/constraints-docs.txt
	@touch $@

build/core-tests/CTestTestfile.cmake: $(VENV)/done-build CMakeLists.txt native/tests/CMakeLists.txt
	$(bin)/cmake -S . -B build/core-tests -G Ninja -DCMAKE_MAKE_PROGRAM=$(abspath $(bin)/ninja) -DCMAKE_BUILD_TYPE=Release -DSHRINKAGE_CORE_TESTS=ON
	@touch $@
