# Every target works on a fresh machine with only Python 3.11+ and make.
PYTHON ?= python3
BIN := .venv/bin
DIST ?= dist

.PHONY: up setup test check docs bench lock dist
up: setup  ## run every role in the foreground
	$(BIN)/rollcall up

setup: .venv/.runtime  ## install the locked run-time dependencies and the `rollcall` command

test: .venv/.dev  ## the whole test suite; also uses the system's PostgreSQL and Redis if installed
	$(BIN)/pytest -n auto --dist worksteal

check: .venv/.dev  ## check format, lint, types and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/.runtime  ## generate .env.example, docs/settings.md, the Prometheus rules and the index of alerts
	$(BIN)/python -m rollcall.settings_docs
	$(BIN)/python -m observability.alert_rules

bench: .venv/.dev  ## the benchmarks of docs/performance.md and docs/reliability.md
	$(BIN)/python -m bench.replay
	$(BIN)/python -m bench.detection
	$(BIN)/python -m bench.catalog_decode
	$(BIN)/python -m bench.catalog_poll
	$(BIN)/python -m bench.catalog_latency
	$(BIN)/python -m bench.catalog_fleet
	$(BIN)/python -m bench.import_files
	$(BIN)/python -m bench.checks
	$(BIN)/python -m bench.fuzz
	$(BIN)/python -m bench.simulate --seeds 5000
	$(BIN)/python -m bench.chaos --calm 0
	$(BIN)/python -m bench.realtime
	$(BIN)/python -m bench.idle

dist:  ## the reproducible release archive of the last commit; needs git
	mkdir -p $(DIST)
	git archive --format=tar.gz --prefix=rollcall/ --output=$(DIST)/rollcall.tar.gz HEAD
	cd $(DIST) && sha256sum rollcall.tar.gz | tee rollcall.tar.gz.sha256

.venv/.runtime: requirements/runtime.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

.venv/.dev: .venv/.runtime requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	touch $@

lock: .venv/.dev  ## update the locked dependencies, with hashes and without index URLs
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header pyproject.toml requirements/runtime.in -o requirements/runtime.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header requirements/dev.in -o requirements/dev.txt
