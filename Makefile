# Every entry of this repository. Only Python 3.11 and a package index are needed; pip's own
# settings (PIP_INDEX_URL, PIP_CERT, pip.conf, ...) say which index.

PYTHON ?= $(shell for p in python3.11 python3 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' >/dev/null 2>&1 \
	&& { command -v "$$p"; break; }; done)
VENV := .venv/bin
ARGS ?=

# Many processes start from here; without kept bytecode each would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: access bench-judge bench-wire fuzz prove mutants test-clients help demo demo-reset dev test check test-fast fmt lock python install install-dev install-browser

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 22

demo: install ## Start everything on this machine, with a sample agent at work
	@$(VENV)/python -m hoopweb.local --tied $(ARGS)

demo-reset: ## Forget the demo's data, keys and passwords
	@if [ -x $(VENV)/python ]; then $(VENV)/python -m hoopweb.local --reset; fi

dev: install ## As demo, without the agent; the server reloads when a file changes
	@$(VENV)/python -m hoopweb.local --tied --no-agent --reload $(ARGS)

test: install-browser check ## Install what the tests need, then everything that CI runs

check: install-dev ## Linters, types, contracts, migrations and all tests
	@$(VENV)/python .ci/check.py $(ARGS)

test-fast: install-dev ## The tests that need no browser and kill nothing
	@$(VENV)/python -m pytest -m "not browser and not faults and not slow" $(ARGS)

bench-judge: install-dev ## How fast the judge is, cold and warm
	@$(VENV)/python benchmarks/judge.py $(ARGS)

bench-wire: install-dev ## What the gateway adds to a driver's statement, and how much it carries
	@$(VENV)/python -m benchmarks.wire $(ARGS)

access: install-dev ## Ask every address as every role and write docs/access.md
	@$(VENV)/python -m tests.access $(ARGS)

fuzz: install-dev ## 50,000 generated statements through the judge
	@JUDGE_EXAMPLES=50000 $(VENV)/python -m pytest tests/connections/sql/test_properties.py $(ARGS)

test-clients: install-dev ## Real drivers against the gateway: who can do what
	@$(VENV)/python -m tests.clients $(ARGS)

prove: install-dev ## The slow proofs: TPC-DS, the oracle of two runs, the full warehouse
	@$(VENV)/python -m pytest -m slow $(ARGS)

mutants: install-dev ## Break the policy and the rewrite, and see that tests notice
	@$(VENV)/python benchmarks/judge_mutants.py $(ARGS)

fmt: install-dev ## Bring code and templates into shape
	@$(VENV)/ruff format . && $(VENV)/ruff check --fix --quiet .; \
	$(VENV)/djlint templates --reformat --quiet || true

LOCK = $(VENV)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-header --no-annotate pyproject.toml
lock: install-dev ## Pin newest versions: runtime first, the larger sets agree with it
	@$(LOCK) $(ARGS) -o requirements/runtime.lock
	@$(LOCK) $(ARGS) --group local -c requirements/runtime.lock -o requirements/local.lock
	@$(LOCK) $(ARGS) --group dev -c requirements/local.lock -o requirements/dev.lock
	@$(VENV)/uv pip compile --quiet --generate-hashes --no-header --no-annotate \
		requirements/installer.in $(ARGS) -o requirements/installer.lock

python:
	@[ -n "$(PYTHON)" ] || { echo "Python 3.11 is needed: install it, or say PYTHON=/path/to/python3.11." >&2; exit 1; }

install: python
	@$(PYTHON) -I .ci/install.py local

install-dev: python
	@$(PYTHON) -I .ci/install.py dev

install-browser: python
	@$(PYTHON) -I .ci/install.py dev --browser
