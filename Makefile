VENV := .venv-dev
PACKAGES := -p muniment.domain -p muniment.projections -p muniment.journal -p muniment.scripts

.PHONY: dev test check demo

# An editable install links file by file, so it is made again whenever a file may have been added.
dev:
	python3 -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --editable '.[dev]'

test: dev
	$(VENV)/bin/python -m pytest -n auto

check: dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy $(PACKAGES)
	$(VENV)/bin/mypy tests
	$(VENV)/bin/lint-imports

demo: dev
	$(VENV)/bin/muniment demo
