# Fresh machine, two commands: `make demo` and `make test` set themselves up; they need Python 3.11+ and venv.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
WITNESS := .venv-witness
UV     := $(shell command -v uv 2>/dev/null)

# The tests start hundreds of processes, and half of a start would be compiling what the last one compiled.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install dev demo test properties docs lint lock fuzz servers soak soak-reach soak-kill soak-orders bench check-api check-wheel check-example hooks clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=/path/to/python3.11 ..."; exit 1; }
ifneq ($(UV),)
	@$(UV) venv --quiet --allow-existing --python $(PYTHON) $(VENV)
else
	@$(PYTHON) -m venv $(VENV)
endif
	@touch $@

ifneq ($(UV),)
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
else
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
endif

$(VENV)/.installed: $(VENV)/.python requirements/run.lock pyproject.toml
	@echo "installing meterlink into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements/run.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.lock
	@echo "installing what the tests need into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements/dev.lock
	@touch $@

# Holds one package that has the import name of another (tests/support/python_dlt645.py asks it).
$(WITNESS)/.installed: $(VENV)/.python requirements/witness.lock
	@echo "installing the second DL/T 645 witness into $(WITNESS) ..."
ifneq ($(UV),)
	@$(UV) venv --quiet --clear --python $(PYTHON) $(WITNESS)
	@$(UV) pip install --quiet --python $(WITNESS)/bin/python --require-hashes -r requirements/witness.lock
else
	@$(PYTHON) -m venv --clear $(WITNESS)
	@$(WITNESS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/witness.lock
endif
	@touch $@

install: $(VENV)/.installed  ## make .venv with meterlink and metersim in it
dev: $(VENV)/.installed-dev $(WITNESS)/.installed  ## the same, with what tests and checks need

demo: install  ## a simulated plant and the daemon, until Ctrl-C (ONCE=1: ends when all has come through)
	@$(BIN)/meterlink demo $(if $(ONCE),--once)

# The first worker begins with the tests that start servers and processes, which mostly wait: one of them at a
# time, while the others compute. Who has finished takes over from the end of another's list.
test: dev  ## all tests but the soaks; the last lines say which real servers were there
	@$(BIN)/pytest -m "not soak" -n auto --dist worksteal tests/e2e tests/contract \
	  tests/sim tests/unit tests/migrations tests/wire $(ARGS)

properties: dev  ## the property tests, 1,000 examples of each that names no number of its own
	@$(BIN)/pytest -m "hypothesis and not soak" --hypothesis-profile many -o timeout=600 -n auto --dist worksteal tests $(ARGS)

# The programs that tests/support/servers.py looks for, and Debian's packages of them.
SERVER_PROGRAMS := mosquitto influxd victoria-metrics nginx
SERVER_PACKAGES := mosquitto influxdb victoria-metrics nginx-light

servers:  ## install the real servers that some tests use (Debian or Ubuntu; root or sudo)
	@missing=; for program in $(SERVER_PROGRAMS); do \
	  PATH="$$PATH:/usr/local/sbin:/usr/sbin:/sbin" command -v $$program >/dev/null || missing="$$missing $$program"; \
	done; \
	if [ -z "$$missing" ]; then echo "servers: all are here ($(SERVER_PROGRAMS))"; exit 0; fi; \
	echo "servers: absent:$$missing"; \
	if ! command -v apt-get >/dev/null; then \
	  echo "There is no apt-get here. Install by hand: $(SERVER_PACKAGES). Without them 'make test' leaves some tests out."; exit 1; fi; \
	if [ "$$(id -u)" = 0 ]; then sudo=; \
	elif command -v sudo >/dev/null; then sudo=sudo; \
	else echo "This needs root. As root run: apt-get install $(SERVER_PACKAGES). Without them 'make test' leaves some tests out."; exit 1; fi; \
	$$sudo apt-get update -qq && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends $(SERVER_PACKAGES)

# SEED= plays one seed again, to the octet; without it the first SEEDS of them.
SEEDS  ?= 20
DAYS   ?= 3
METERS ?= 60

soak: dev  ## weeks of a gateway in simulated time (SEEDS=20 DAYS=3 METERS=60; SEED=: one again)
	@$(BIN)/python -m tests.sim.soak.soak --seeds $(SEEDS) --days $(DAYS) --meters $(METERS) $(if $(SEED),--seed $(SEED)) $(ARGS)

soak-reach: dev  ## a week of 2,000 meters, half of them behind carriers and concentrators (SEED=0 DAYS=7 METERS=2000)
	@$(BIN)/python -m tests.sim.reach.reach $(if $(SEED),--seed $(SEED)) \
	  $(if $(filter command line,$(origin DAYS)),--days $(DAYS)) \
	  $(if $(filter command line,$(origin METERS)),--meters $(METERS)) $(ARGS)

soak-kill: dev  ## the daemon killed at 200 points; minutes, needs the real servers
	@METERLINK_REQUIRE_SERVERS=1 $(BIN)/pytest -m soak -k kill -s $(ARGS)

# Each run goes on where the last one stopped: build/soak-orders holds what was played.
POINTS ?= 10000

soak-orders: dev  ## orders killed at POINTS=10000 points of their way, the meters asked (SEED= POINT=: one again)
	@$(BIN)/python -m tests.sim.crash_points.soak --points $(POINTS) $(if $(SEED),--seed $(SEED)) $(if $(POINT),--point $(POINT)) $(ARGS)

bench: dev  ## measure, beside other implementations in the same run, and print one table (README=1: write it there)
	@$(BIN)/python -m bench $(if $(README),--readme) $(ARGS)

# Ten minutes of a core, cut into slices; each run goes on where the last one stopped (ARGS="--minutes 30"): build/check-api.
check-api: dev  ## ask the API whatever its OpenAPI allows and what not, EXAMPLES=2000 of each operation
	@$(BIN)/python -m tests.support.check_api --examples $(or $(EXAMPLES),2000) $(ARGS)

check-wheel: dev  ## build the wheel, install it into an empty environment, run what it brings
	@PYTHON=$(BIN)/python .ci/check-wheel

check-example: dev  ## the tests of examples/ci with the built wheel, in an empty environment
	@PYTHON=$(BIN)/python .ci/check-example

docs: dev  ## renew the parts of docs/ that are made from the code
	@$(BIN)/python -m docs.generate

hooks: dev  ## let git run the checks before each commit
	@$(BIN)/pre-commit install

lint: dev  ## format, lint, types and import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@PYTHONPATH= $(BIN)/lint-imports

lock:  ## write the lock files anew (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --group build -o requirements/run.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra web --extra export --group dev -o requirements/dev.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 pyproject.toml --extra web --group build -c requirements/run.lock -o requirements/web.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --group fuzz -o requirements/fuzz.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --group witness -o requirements/witness.lock
	uv pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11 --group example -o requirements/example.lock

# Seconds for all targets together; the released figure is 300, .ci/run gives 15.
FUZZ_SECONDS ?= 300

fuzz: dev  ## any octets into the codec under a coverage-guided fuzzer (FUZZ_SECONDS=300)
	@$(INSTALL) --require-hashes -r requirements/fuzz.lock
	@each=$$(( ($(FUZZ_SECONDS) + 4) / 5 )); for target in fuzz_dlt645 fuzz_dlt698_link fuzz_dlt698 fuzz_gdw1376 fuzz_modbus; do \
	  $(BIN)/python -m fuzz.$$target -max_total_time=$$each -max_len=600 -len_control=10 -print_final_stats=1 || exit 1; \
	done

clean:  ## remove the environment and caches
	rm -rf $(VENV) $(WITNESS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
