VENV := .venv-dev
PACKAGES := -p muniment.domain -p muniment.projections -p muniment.journal -p muniment.scripts

.PHONY: dev test fast long mutants check types demo

# An editable install links file by file, so it is made again whenever a file may have been added.
dev:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'

test: dev
	$(VENV)/bin/python -m pytest -n auto

# No server, no other process, no long search.
fast: dev
	$(VENV)/bin/python -m pytest -n auto -m "not slow and not processes and not postgres"

# What does not fit into a run of CI: a minute of interrupts, and more of what is drawn at random.
long: dev
	MUNIMENT_TEST_INTERRUPTS_S=60 MUNIMENT_TEST_FORKS=100 MUNIMENT_TEST_UNDO_SEQUENCES=400 \
	MUNIMENT_TEST_MODEL_SEQUENCES=600 $(VENV)/bin/python -m pytest -n auto --timeout 3600

# Conditions of the domain that no test would miss.
mutants: dev
	$(VENV)/bin/python -m tests.mutants

check: dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(PACKAGES)
	$(VENV)/bin/mypy tests
	$(VENV)/bin/lint-imports

# A second checker, which brings a JavaScript engine of its own and is not part of CI.
types: dev
	$(VENV)/bin/pip install --quiet --editable '.[dev,types]'
	$(VENV)/bin/basedpyright

demo: dev
	$(VENV)/bin/muniment demo
