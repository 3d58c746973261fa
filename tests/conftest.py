"""What every test may use: journals on every engine, and a clock that tests set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from muniment.journal import Journal

settings.register_profile("muniment", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("muniment")

TRACES = Path(__file__).parent / "traces"


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now: int = 1_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A place for a journal, on every engine."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/journal.db"


@pytest.fixture
def journal(url: str, clock: Clock) -> Iterator[Journal]:
    """An empty journal, on every engine."""
    with Journal.open(url, clock=clock) as opened:
        yield opened


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A place for a journal in a file."""
    return f"sqlite:///{tmp_path}/journal.db"
