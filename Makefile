# Another Python: make fast PYTHON=python3.13 VENV=.venv-3.13
PYTHON ?= python3
VENV ?= .venv-dev
QUICK := not slow and not processes and not postgres
PACKAGES := -p muniment.domain -p muniment.projections -p muniment.journal -p muniment.scripts

.PHONY: dev test fast documents pythons coverage long mutants check types reference demo

# An editable install links file by file, so it is made again whenever a file may have been added.
dev:
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'

test: dev
	$(VENV)/bin/python -m pytest -n auto

# No server, no other process, no long search.
fast: dev
	$(VENV)/bin/python -m pytest -n auto -m "$(QUICK)"

# Runs what the documents show, and writes the outputs into them.
documents: dev
	MUNIMENT_WRITE_SNAPSHOT=1 $(VENV)/bin/python -m pytest -n auto tests/test_docs.py

# The same on every Python that the classifiers name and that is here.
pythons:
	for version in 3.11 3.12 3.13; do \
	    for python in python$$version $$HOME/.pyenv/versions/$$version.*/bin/python; do \
	        if $$python --version >/dev/null 2>&1; then \
	            $(MAKE) fast PYTHON=$$python VENV=.venv-$$version || exit 1; break; \
	        fi; \
	    done; \
	done

# How much of the library those tests run; below the floor it fails.
coverage: dev
	MUNIMENT_TEST_DRAWN=0.2 $(VENV)/bin/python -m pytest -n auto -m "$(QUICK)" --cov --cov-fail-under=90

# What does not fit into a run of CI: a minute of interrupts, and more of what is drawn at random.
long: dev
	MUNIMENT_TEST_DRAWN=4 MUNIMENT_TEST_INTERRUPTS_S=60 MUNIMENT_TEST_FORKS=100 MUNIMENT_TEST_UNDO_SEQUENCES=400 \
	MUNIMENT_TEST_MODEL_SEQUENCES=600 MUNIMENT_TEST_KILLS=40 MUNIMENT_TEST_FAILOVERS=20 $(VENV)/bin/python -m pytest -n auto --timeout 3600

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

# The public API as HTML, from the docstrings: build/reference/index.html
reference: dev
	$(VENV)/bin/pip install --quiet --editable '.[dev,docs]'
	$(VENV)/bin/pdoc --docformat google --output-directory build/reference \
	muniment.domain muniment.projections muniment.journal '!muniment.journal.testing'

demo: dev
	$(VENV)/bin/muniment demo
