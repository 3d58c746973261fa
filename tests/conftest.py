"""What every test may use: journals on every engine, and a clock that tests set."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from muniment.journal import Journal

from .drawing import drawn
from .postgres_server import Server

settings.register_profile(
    "muniment", deadline=None, max_examples=drawn(50), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("muniment")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it leaves running behind its back so, and the programs that tests interrupt would inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)


SLOW = {
    "test_backup",
    "test_cli_undo",
    "test_conformance",
    "test_conversation_laws",
    "test_conversation_undo_sequences",
    "test_failover",
    "test_group_commit",
    "test_hostile_files",
    "test_laws",
    "test_locks",
    "test_log_growth",
    "test_living_machine",
    "test_machine",
    "test_older_format",
    "test_public_surface",
    "test_session_model",
    "test_tamper",
    "test_timeline",
    "test_undo_counterfactual",
    "test_undo_matrix",
}
"""The modules that search for long, or wait."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what takes long, starts processes, or needs a PostgreSQL server, so that it can be left out."""
    for item in items:
        module = getattr(item, "module", None)
        if module is not None and module.__name__.rpartition(".")[2] in SLOW:
            item.add_marker(pytest.mark.slow)
        if {"subprocess", "multiprocessing"} & set(vars(module) if module is not None else ()):
            item.add_marker(pytest.mark.processes)
        names = getattr(item, "fixturenames", ())
        drawn = item.callspec.params.values() if hasattr(item, "callspec") else ()
        # What is drawn may be an object that raises when it is looked at.
        engines = [each for each in drawn if type(each) is str]
        if "postgres" in engines or any("postgres" in name or name == "own_server" for name in names):
            item.add_marker(pytest.mark.postgres)


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


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A PostgreSQL server: the one that MUNIMENT_TEST_POSTGRES names, or one that is started for the tests."""
    given = os.environ.get("MUNIMENT_TEST_POSTGRES")
    with Server(given) as server:
        yield server


SCHEMAS = count(1)


def _place(engine: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[str]:
    if engine == "memory":
        yield "memory://"
    elif engine == "sqlite":
        yield f"sqlite:///{folder}/journal.db"
    else:
        server: Server = request.getfixturevalue("postgres")
        schema = f"test_{os.getpid()}_{next(SCHEMAS)}"
        yield server.url(schema)
        server.drop(schema)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place for a journal, on every engine."""
    yield from _place(request.param, request, tmp_path)


@pytest.fixture(params=["sqlite", "postgres"])
def shared_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place for a journal that outlives the process, and that several processes can use."""
    yield from _place(request.param, request, tmp_path)


@pytest.fixture
def postgres_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A place for a journal in PostgreSQL."""
    yield from _place("postgres", request, tmp_path)


@pytest.fixture
def another_postgres_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A second place in PostgreSQL."""
    yield from _place("postgres", request, tmp_path)


@pytest.fixture
def journal(url: str, clock: Clock) -> Iterator[Journal]:
    """An empty journal, on every engine."""
    with Journal.open(url, clock=clock) as opened:
        yield opened


@pytest.fixture
def file_url(tmp_path: Path) -> str:
    """A place for a journal in a file."""
    return f"sqlite:///{tmp_path}/journal.db"
