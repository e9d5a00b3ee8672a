# Two commands matter: `make demo` and `make test`. Each installs what it needs, on a fresh machine too.
SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: help packages venv demo demo-down test unit lint bench lock

# A system Python first: the demo's unprivileged user must be able to run it.
PYTHON ?= $(shell for p in /usr/bin/python3.13 /usr/bin/python3.12 /usr/bin/python3.11 /usr/bin/python3 python3; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
VENV := .venv
RUN := $(VENV)/bin
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo --preserve-env=PATH)

help:  ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

packages:  ## install the Debian packages that demo and tests need
	@gateway/devcluster/packages.sh

venv: $(VENV)/.complete

$(VENV)/.complete: requirements.lock pyproject.toml | packages
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 or newer is needed"; exit 1; }
	@echo "Making the virtual environment with $$($(PYTHON) --version) …"
	@[ -x $(RUN)/python ] && $(RUN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

demo: packages venv  ## a Slurm cluster, a gateway and an MPI job on four nodes, on this machine
	@$(SUDO) $(RUN)/python -m gateway.demo up

demo-down: venv  ## remove everything that demo made
	@$(SUDO) $(RUN)/python -m gateway.demo down

test: packages venv lint  ## every check and every test, the ones on a real Slurm included
	@$(SUDO) $(RUN)/python -m pytest -n 3 --dist loadfile $(ARGS)

unit: venv  ## the quick tests alone
	@$(RUN)/python -m pytest -n 2 tests/unit tests/property tests/architecture tests/golden $(ARGS)

lint: venv  ## format, lint, types, import contract
	@$(RUN)/ruff format --check --quiet . || { echo "run: $(RUN)/ruff format ."; exit 1; }
	@$(RUN)/ruff check --quiet .
	@$(RUN)/mypy
	@$(RUN)/lint-imports

bench: packages venv  ## measure against raw Slurm on the dev cluster; prints ratios, asserts nothing
	@$(SUDO) $(RUN)/python -m tests.bench $(ARGS)

lock:  ## write requirements.lock anew from pyproject.toml
	@$(RUN)/python -m pip install --quiet uv
	@$(RUN)/uv pip compile --quiet pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-annotate \
		--no-header --universal --python-version 3.11 -o requirements.lock
