# make setup       .venv with pinned requirements, the project (editable) and all its extras
# make setup-locked  the same with every file but torch's checked against requirements.lock (Linux)
# make test        setup, then tests/ and parity_tests/: a representative of every kind
# make test-exhaustive  the same with every variant, opset, sampling and shape (hours)
# make coverage    make test, with the lines and branches that it reaches
# make lint        format, lint, types, import contracts, docs
# make check       format, lint, types, import contracts, docs, and the tests of tests/ that are quick
# make quickstart  setup, then export b0-tiny, verify it and track a real clip with it
# make browser-tools  what the browser tests need besides node and chromium, by npm
# make fuzz        every reader against bytes that nobody meant for it: SECONDS=60 each
# make bench       measure speed here: docs/speed.md and the READMEs' table
# make docs        build/site, strict
# make lock        requirements.lock anew, after constraints.txt was changed
# make release     dist/: wheel, source archive, bill of materials (CycloneDX), SHA-256 of each
# make box         export_profiles/b0-tiny*.onnx anew: the model that the package ships
# make format      let ruff rewrite what it can

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# Tests run in this many processes, each on a core of its own (tests/support/surroundings.py).
WORKERS := 2
STAMP  := $(VENV)/.installed
NODE   := parity_tests/browser/node_modules/.installed

.PHONY: setup setup-locked lock release browser-tools test test-exhaustive coverage check lint fuzz bench quickstart docs box format clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing PyTorch, ONNX Runtime and the development tools into $(VENV): some 3 GB, minutes"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --constraint constraints.txt pip
# setuptools warns of every editable installation whose packages stand in several folders.
	@PYTHONWARNINGS="ignore:Editable installation" \
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[$(EXTRAS)]"
	@touch $@

EXTRAS := export,plot,eval,train,download,many,openvino,demo,exchange,rerun,dev

# Everything is listed with its hashes, so nothing has to be resolved.
setup-locked:
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	@PYTHONWARNINGS="ignore:Editable installation" \
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	@touch $(STAMP)

# What makes a release is no part of what is released: its tools have a place of their own.
TOOLS := build/release-tools
$(TOOLS)/.installed:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet build==1.6.1 cyclonedx-bom==7.5.0 uv==0.13.9
	@touch $@

LOCKED = build/locked.txt
lock: $(TOOLS)/.installed
	grep -v -e '^torch==' -e '^#' constraints.txt > $(LOCKED)
	sed -n '/^#/p' requirements.lock > $(LOCKED).head
	$(TOOLS)/bin/uv pip compile --quiet --no-config --generate-hashes --no-deps --no-annotate --no-header \
		--python-version 3.11.9 --default-index https://pypi.org/simple $(LOCKED) --output-file $(LOCKED).made
	cat $(LOCKED).head $(LOCKED).made > requirements.lock

# On PyPI the README's links have to be absolute (setup.py): where origin is, as https, without the
# name and password that an address may hold. A folder is no address.
REPOSITORY = $(shell git remote get-url origin 2>/dev/null | sed -nE \
	-e 's,^(https|ssh)://([^@/]*@)?([A-Za-z0-9.-]+)/(.+)$$,https://\3/\4,p' \
	-e 's,^[^@/:]+@([A-Za-z0-9.-]+):(.+)$$,https://\1/\2,p')

# setuptools reads build/lib from earlier builds, and would ship what was removed since.
release: setup $(TOOLS)/.installed
	rm -rf dist build/lib build/bdist.*
	LOCOEXPORT_REPOSITORY="$(REPOSITORY)" $(TOOLS)/bin/python -m build --outdir dist
	$(TOOLS)/bin/cyclonedx-py environment $(BIN)/python --pyproject pyproject.toml \
		--output-reproducible --output-format JSON --output-file dist/locoexport.cdx.json
	cd dist && sha256sum * > SHA256SUMS && sha256sum --check --quiet SHA256SUMS

browser-tools: $(NODE)

# Without npm, or without its registry, the browser tests are reported as skipped.
$(NODE): parity_tests/browser/package-lock.json
	if command -v npm >/dev/null && (cd $(dir $(<)) && npm ci --ignore-scripts --no-audit --no-fund); \
	then touch $@; else echo "npm could not be used: the browser tests will be skipped" >&2; fi

test: setup browser-tools
	$(BIN)/python -m pytest -n $(WORKERS)

test-exhaustive: setup browser-tools
	$(BIN)/python -m pytest -n $(WORKERS) -m "exhaustive or not exhaustive"

coverage: setup browser-tools
	$(BIN)/python -m pytest -n $(WORKERS) --cov --cov-report=term

check: lint browser-tools
	$(BIN)/python -m pytest -q -n $(WORKERS) -m "not slow and not exhaustive" tests

USER_CODE := 'from locoexport import PointTracker, Tracks; \
	tracks: Tracks = PointTracker().track("clip.mp4", [[0, 1.0, 2.0]])'

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
# From elsewhere: a type checker has to find what is installed, also of an editable installation.
	cd / && $(CURDIR)/$(BIN)/mypy --config-file= --cache-dir=$(CURDIR)/.mypy_cache/installed \
		--follow-imports=silent -c $(USER_CODE)
	$(BIN)/lint-imports
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# atheris has wheels for Linux and CPython alone, so it is no part of setup.
SECONDS := 60
fuzz: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt atheris
	$(BIN)/python tests/fuzz/fuzz.py --seconds $(SECONDS)

# About an hour; on an idle machine. The page in the browser: benchmarks/browser.py.
bench: setup
	$(BIN)/python benchmarks/speed.py

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

# Two exports of one name: b0-tiny.onnx for whole clips, and the three files of the live one.
box: setup
	$(BIN)/locoexport export --backbone b0-tiny --force -o export_profiles/b0-tiny.onnx
	$(BIN)/locoexport export --backbone b0-tiny --live open --force -o export_profiles/b0-tiny.onnx

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

quickstart: setup
	$(BIN)/python parity_tests/clips.py .data/clips
	mkdir -p quickstart
	$(BIN)/locoexport export --backbone b0-tiny --force -o quickstart/b0-tiny.onnx
	$(BIN)/locoexport verify quickstart/b0-tiny.onnx --video .data/clips/carphone_pristine.mp4
	$(BIN)/locoexport track .data/clips/carphone_pristine.mp4 --model quickstart/b0-tiny.onnx \
		--points grid:10 --force -o quickstart/carphone.mp4 --tracks quickstart/carphone.npz
	@echo "The tracked video is quickstart/carphone.mp4"

clean:
	rm -rf $(VENV) build dist *.egg-info quickstart
