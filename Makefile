# make demo [ARGS=--once]   see it work           make up     run it on this machine
# make test                 every check there is  make lint   the quick ones
# make engine               build the engine      make clean  remove what was built
# make deploy-lint          lint image, compose file and CloudFormation; nothing of them is run
# make docs                 the tables in docs/   make protocol  the code of the protos
# make bench-handoff        move instances under traffic and count what is lost (ARGS=--help)
# make bench-kill           the same while processes and nodes are killed
# make bench-rollout        the day of a deploy on a cluster of containers' nodes (ARGS=--help)
# make bench-media          what files do to the text beside them (ARGS=--help)
# make bench-incident       let an endpoint hang and a node be emptied, and see it alerted (ARGS=--help)
# make bench-delivery       what a courier delivers, and what bad endpoints do to the others (ARGS=--help)
# make bench-metrics        what measuring costs
#
# Everything is made on first use: a virtual environment in .venv, and the engine. PYTHON chooses the
# interpreter (3.11 or later), ARGS is passed on.

PYTHON ?= python3
VENV ?= .venv
ARGS ?=
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Some environments set it. Every Python of a cluster would compile anew what it imports, several times what it
# takes to start otherwise.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo up test lint deploy-lint format engine engine-test s3 docs protocol clean bench-handoff bench-kill \
    bench-delivery bench-media bench-metrics bench-incident bench-rollout

demo: $(INSTALLED) engine
	$(BIN)/malote demo $(ARGS)

up: $(INSTALLED) engine
	$(BIN)/malote up $(ARGS)

# Tests with a Ray cluster by themselves and last: each file has a cluster of its own, and keeps two cores busy by
# itself. The longest of them are at the end, by their folders' names, two at a time. The others mostly wait.
test: $(INSTALLED)
	$(MAKE) -j 2 lint deploy-lint engine engine-test s3
	$(BIN)/pytest -n 3 --dist loadfile -m "not cluster" $(ARGS)
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder -m cluster $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

deploy-lint: $(INSTALLED)
	PYTHON=$(abspath $(BIN)/python) TOOLS=$(abspath $(VENV))/deploy-lint deploy/lint.sh

format: $(INSTALLED)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

engine: $(INSTALLED)
	PYTHON=$(abspath $(BIN)/python) engine/build.sh

engine-test: $(INSTALLED)
	for task in vet test staticcheck govulncheck; do \
	    PYTHON=$(abspath $(BIN)/python) engine/build.sh $$task || exit 1; \
	done

# A real S3 server, for the tests that keep media in one.
s3: $(INSTALLED)
	PYTHON=$(abspath $(BIN)/python) engine/build.sh versitygw

bench-handoff: $(INSTALLED) engine
	$(BIN)/python -m bench.handoff $(ARGS)

bench-kill: $(INSTALLED) engine
	$(BIN)/python -m bench.handoff --kill $(ARGS)

bench-metrics: $(INSTALLED)
	$(BIN)/python -m bench.metrics $(ARGS)

bench-delivery: $(INSTALLED)
	$(BIN)/python -m bench.delivery $(ARGS)

bench-incident: $(INSTALLED) engine
	$(BIN)/python -m bench.incident $(ARGS)

bench-rollout: $(INSTALLED) engine
	$(BIN)/python -m bench.rollout $(ARGS)

bench-media: $(INSTALLED) engine
	$(BIN)/python -m bench.media $(ARGS)

docs: $(INSTALLED)
	$(BIN)/python -m deploy.reference

protocol: $(INSTALLED)
	PYTHON=$(abspath $(BIN)/python) engine/protocol/generate.sh

$(INSTALLED): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "make: $(PYTHON) is not Python 3.11 or later; name one, as in: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; \
	    exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { \
	    echo "make: no virtual environment could be made; on Debian: apt-get install python3-venv" >&2; \
	    exit 1; }
	$(BIN)/python -m pip install --quiet --no-compile --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis engine/bin engine/.build *.egg-info
