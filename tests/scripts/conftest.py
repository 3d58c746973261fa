"""What every test of the command line may use."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result
from muniment.scripts.cli import cli

Run: TypeAlias = Callable[..., Result]


@pytest.fixture
def muniment(url: str) -> Run:
    """Run a command on the journal of the module's own ``url``."""

    def run(*arguments: object) -> Result:
        result = CliRunner(env={"MUNIMENT_JOURNAL": url}).invoke(cli, [str(each) for each in arguments])
        assert "Traceback" not in result.output
        return result

    return run


def data(result: Result, exit_code: int = 0) -> Any:
    """What a command printed with ``--json``; it printed nothing else."""
    assert result.exit_code == exit_code, result.stderr
    assert result.stderr == ""
    envelope = json.loads(result.stdout)
    assert envelope["muniment"] == "0.1.0"
    return envelope["data"]
