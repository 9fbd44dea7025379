# make book    install, execute every chapter once, build the book strictly
# make test    install, unit tests, every chapter, types, checks of the built pages
# make serve   read the built book at http://localhost:8000
# make gpu     on a machine with a GPU: its tests, and what parallel sampling costs there
# make lint    style, formatting, clean notebooks, types
# make format  repair what lint finds, as far as that can be done automatically
# make clean   remove everything built (the environment stays)

VENV ?= .venv
PORT ?= 8000
# the first Python that is new enough; only used to create the environment
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := $(VENV)/bin
NBSTRIPOUT := $(BIN)/nbstripout --keep-id --extra-keys metadata.language_info

CORES := $(shell getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2)
# the networks are small: more than four threads only get in each other's way
OMP_NUM_THREADS ?= $(shell [ $(CORES) -gt 4 ] && echo 4 || echo $(CORES))
export OMP_NUM_THREADS
# Tests run in this many processes, each of about a gigabyte and with one thread: the threads of
# one process wait for each other, and where processes share the cores they mostly wait. Neighbours
# in a file stay together as far as the work allows, since they share what is set up for them.
JOBS ?= $(shell [ $(CORES) -gt 8 ] && echo 8 || echo $(CORES))
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist worksteal
export HF_HUB_OFFLINE := 1
export JUPYTER_PREFER_ENV_PATH := 1
export PYDEVD_DISABLE_FILE_VALIDATION := 1

.PHONY: help install book test gpu serve lint style types format clean

help:
	@sed -n 's/^# make /make /p' Makefile

install: $(VENV)/.installed

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing into $(VENV); this takes a few minutes the first time."
	$(BIN)/python -m pip install --quiet --no-compile -c constraints.txt -e ".[features,heic,lpips,networks,viz,book,test,compare,dev]"
	@# pip would compile one file after the other; some are templates that do not compile
	@$(BIN)/python -m compileall -qq -j 0 -x /tests/ $$($(BIN)/python -c \
		'import sysconfig; print(sysconfig.get_path("purelib"))') || true
	@touch $@

book: install
	$(BIN)/python book/_scripts/build.py execute
	$(BIN)/python book/_scripts/build.py html

# types are checked while the pages are built: each takes one core
test: install
	$(PYTEST) tests --ignore=tests/book
	$(BIN)/python book/_scripts/build.py execute
	$(BIN)/mypy & types=$$!; $(BIN)/python book/_scripts/build.py html && wait $$types
	$(PYTEST) tests/book

# eight minutes at most; what is measured is gone on with
gpu: install
	$(BIN)/python -m pytest -m gpu
	$(BIN)/deqir-lite bench --json data/benchmarks/bench-gpu.json --device cuda --dtype bfloat16 \
		--steps 20,50,100 --sizes 64,128 --eta 0.15 --spacing uniform --minutes 3
	$(BIN)/deqir-lite bench --json data/benchmarks/bench-gpu.json --device cuda --dtype float32 \
		--steps 20,50 --sizes 64,128 --batches 1,8 --minutes 2

serve: _build/html/index.html
	@echo "http://localhost:$(PORT) (stop with Ctrl-C)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

_build/html/index.html:
	$(MAKE) book

lint: style types

style: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --exclude "*.ipynb" .
	$(BIN)/ruff format --check --line-length 78 book/*.ipynb  # as wide as a page of the book
	$(NBSTRIPOUT) --verify book/*.ipynb

types: install
	$(BIN)/mypy

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format --exclude "*.ipynb" .
	$(BIN)/ruff format --line-length 78 book/*.ipynb
	$(NBSTRIPOUT) book/*.ipynb

clean:
	rm -rf _build .nbexec dist .pytest_cache .hypothesis .mypy_cache .ruff_cache
