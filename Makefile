# A fresh Debian 12 with Python 3.11+, make and git is enough: everything else is set up here.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
# Set in many containers; then every process compiles every module anew.
unexport PYTHONDONTWRITEBYTECODE
PYTHON ?= python3
BIN := .venv/bin

.PHONY: help setup frontend messages up demo test check fuzz bench wheel clean

help:
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "%-10s %s\n", $$1, $$2}'

.venv/.ready: requirements/dev.lock.txt pyproject.toml
	@deploy/bin/make-venv "$(PYTHON)"
	@touch $@

setup: .venv/.ready frontend ## create .venv with everything built in

frontend: .venv/.ready ## build styles, islands and translations
	@$(BIN)/python deploy/bin/build-assets

up: setup ## start Quarterdeck on this machine
	@$(BIN)/quarterdeck up

demo: setup ## a small shop that is watched, with a fault to find; DEMO="--fault-after 60"
	@$(BIN)/python -m demo $(DEMO)

check: setup ## lint, types, layers, migrations, translations, docs, fast tests
	@tests/bin/check

test: setup ## everything, on SQLite and PostgreSQL, with real servers and a real browser
	@tests/bin/test

DEMO ?=
FUZZ ?= --inputs 100000
fuzz: setup ## hostile bytes at every receiver, guided by coverage; FUZZ="--inputs 1000000 --only zabbix"
	@$(BIN)/uv pip install -q --require-hashes -r requirements/fuzz.lock.txt
	@$(BIN)/python -m tests.fuzz.run $(FUZZ)

bench: setup ## benchmarks; prints figures and ratios
	@$(BIN)/uv pip install -q --require-hashes -r requirements/bench.lock.txt
	@$(BIN)/python -m benchmarks

wheel: setup ## a wheel that carries the built front end
	@$(BIN)/python -m build --wheel

clean: ## remove what was built
	rm -rf .venv .tools node_modules dist build src/quarterdeck/web/static/dist
