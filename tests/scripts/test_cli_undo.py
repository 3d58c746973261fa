"""The commands on authorities, bundles, undoing and sagas, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from muniment.domain import CommandRefused
from muniment.journal import Journal
from muniment.scripts.cli import cli

from ..journal.stories import claim, claim_fragments, hand_over, host, live, open_session, register, seed
from .conftest import Run, data


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A journal in which a session was handed over, and a saga is in doubt."""
    url = f"sqlite:///{tmp_path}/journal.db"

    def cannot(details: str) -> None:
        raise ConnectionError(details)

    with Journal.open(url) as journal:
        for act in (register, seed, open_session, host, claim, claim_fragments, hand_over):
            act(journal)
        with pytest.raises(ZeroDivisionError), journal.saga("book"):
            journal.sessions.open("s-2")
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), journal.saga("meet") as saga:
            journal.sessions.open("s-3")
            saga.register_undo("mail", cannot, "bob")
            raise ZeroDivisionError
    return url


def error(result: Result) -> Any:
    assert result.exit_code == 2
    assert result.stdout == ""
    return json.loads(result.stderr)["error"]["code"]


def test_footprints_now_and_then(muniment: Run) -> None:
    found = data(muniment("footprints", "--json"))
    assert found == {
        "footprints": [
            {"authority": "A", "class": "delegated_out", "session_id": "s-1"},
            {"authority": "B", "class": "delegated_in", "session_id": "s-1"},
        ],
        "violations": [],
    }
    assert data(muniment("footprints", "s-1", "--json")) == found
    assert error(muniment("footprints", "none", "--json")) == "session_not_found"
    then = data(muniment("footprints", "--at", 4, "--json"))["footprints"]
    assert then == [{"authority": "A", "class": "native", "session_id": "s-1"}]
    assert "delegated_in" in muniment("footprints").stdout


def test_footprints_that_contradict_each_other_are_found(muniment: Run, url: str) -> None:
    with Journal.open(url) as journal:
        assert journal.coherence() == ()
        with journal._store.write() as writer:
            writer.run("UPDATE projection_footprints_v1_2 SET class='native' WHERE authority='A' AND until>1000000")
    (violation,) = data(muniment("footprints", "--json"), 1)["violations"]
    assert violation == {"kind": "multiple_active_owners", "session_id": "s-1", "authorities": ["A", "B"]}
    result = muniment("footprints")
    assert result.exit_code == 1
    assert "contradict" in result.stdout


def test_delegations(muniment: Run) -> None:
    (row,) = data(muniment("delegations", "--json"))
    assert (row["session_id"], row["delegation_id"], row["status"], row["new_owner"]) == ("s-1", 1, "committed", "bob")
    assert row["delegated_at"] > 0
    assert (row["claimed_by"], row["uncertainty_ms"]) == (None, None)
    assert data(muniment("delegations", "s-1", "--json")) == [row]
    assert error(muniment("delegations", "none", "--json")) == "session_not_found"
    assert data(muniment("delegations", "--at", 5, "--json")) == []
    assert "committed" in muniment("delegations").stdout


def test_bundles(muniment: Run) -> None:
    found = data(muniment("bundles", "--json"))
    assert [row["bundle_id"] for row in found["bundles"]] == ["chat"]
    assert found["bundles"][0]["members"] == ["y", "z"]
    assert (found["bundles"][0]["last_upgrade"], found["bundles"][0]["phase"]) == ("u-1", "committed_cutover")
    assert data(muniment("bundles", "--at", 2, "--json"))["bundles"][0]["phase"] is None
    assert [row["phase"] for row in found["upgrades"]] == ["committed_cutover"]
    assert data(muniment("bundles", "chat", "--json")) == found
    assert data(muniment("bundles", "--at", 2, "--json"))["upgrades"] == []
    assert error(muniment("bundles", "none", "--json")) == "bundle_not_found"
    assert "committed_cutover" in muniment("bundles").stdout


def test_revert(muniment: Run, url: str) -> None:
    with Journal.open(url) as journal:
        position = next(record.position for record in journal.read() if record.type == "session.handed_over.v1")
        head = journal.head()
    dry = data(muniment("revert", position, "--dry-run", "--json"))
    assert (dry["dry_run"], dry["positions"], dry["obstacles"]) == (True, [], [])
    assert "What would be appended" in muniment("revert", position, "--dry-run").stdout
    with Journal.open(url) as journal:
        assert journal.head() == head
    done = data(muniment("revert", position, "--json"))
    assert done["positions"] == [head + 1, head + 2, head + 3, head + 4]
    assert done["steps"] == dry["steps"]
    with Journal.open(url) as journal:
        assert live(journal).owner == "alice"
    assert error(muniment("revert", position, "--json")) == "already_compensated"
    assert error(muniment("revert", 9_999, "--json")) == "unknown_position"
    obstacles = data(muniment("revert", position, "--dry-run", "--json"), 1)["obstacles"]
    assert {each["code"] for each in obstacles} == {"already_compensated"}
    result = muniment("revert", position, "--dry-run")
    assert result.exit_code == 1
    assert "What makes it impossible" in result.stdout
    assert error(muniment("revert", 0, "--json")) == "unknown_position"
    assert error(muniment("revert", "session-s-1@99", "--json")) == "unknown_event"
    assert error(muniment("revert", "9" * 30, "--json")) == "unknown_event"
    named = data(muniment("revert", "bundle-chat@6", "--actor", "auditor", "--json"))
    with Journal.open(url) as journal:
        assert {journal.record(each).metadata.actor for each in named["positions"]} == {"auditor"}
        assert live(journal).owner == "bob"
    assert "undoes session-s-1@5" in muniment("log", "--limit", "0").stdout


def test_the_log_of_a_stream(muniment: Run) -> None:
    (row,) = data(muniment("sagas", "--unfinished", "--json"))
    found = data(muniment("log", "--stream", f"saga-{row['saga_id']}", "--reverse", "--json"))
    assert [each["type"].removesuffix(".v1") for each in found] == [
        "saga.begun",
        "saga.undo_registered",
        "saga.compensation_begun",
        "saga.compensation_failed",
    ]
    assert error(muniment("log", "--stream", "bundle-none", "--json")) == "unknown_version"
    assert error(muniment("log", "s-1", "--stream", "bundle-chat", "--json")) == "invalid_argument"


def test_show_has_a_row_for_each_part(muniment: Run, url: str) -> None:
    with Journal.open(url) as journal:
        position = next(record.position for record in journal.read() if record.type == "session.handed_over.v1")
    lines = [line.split() for line in muniment("show", position).stdout.splitlines()]
    assert ["data.receipt.from_before", "native"] in lines
    assert ["data.moved_fragments[0].key", "bundle:chat"] in lines


def test_rollback(muniment: Run, url: str) -> None:
    assert len(data(muniment("rollback", "session-s-1", "--to", 2, "--dry-run", "--json"))["steps"]) == 6
    result = muniment("rollback", "session-s-1", "--to", 2)
    assert result.exit_code == 0
    assert "What was appended" in result.stdout
    assert "What is different afterwards" in result.stdout
    with Journal.open(url) as journal:
        assert journal.sessions.state("s-1").capability is None
    assert "nothing to undo" in muniment("rollback", "session-s-1", "--to", 2).stdout
    assert error(muniment("rollback", "session-s-1", "--to", 99, "--json")) == "unknown_version"
    assert error(muniment("rollback", "nothing", "--to", 0, "--json")) == "invalid_identifier"
    assert muniment("rollback", "session-s-1").exit_code == 2


def test_sagas(muniment: Run, url: str) -> None:
    rows = data(muniment("sagas", "--json"))
    assert {row["name"]: row["status"] for row in rows} == {"book": "compensated", "meet": "in_doubt"}
    (row,) = data(muniment("sagas", "--unfinished", "--json"))
    assert row["steps"] == [{"step": "mail", "details": "bob"}]
    assert "mail" in muniment("sagas").stdout
    saga_id = row["saga_id"]
    assert error(muniment("sagas", "--compensate", saga_id, "--json")) == "undo_missing"
    obstacles = data(muniment("sagas", "--compensate", saga_id, "--dry-run", "--json"), 1)["obstacles"]
    assert [each["code"] for each in obstacles] == ["undo_missing"]
    assert error(muniment("sagas", "--compensate", saga_id, "--leave", "nail", "--json")) == "invalid_argument"
    dry = data(muniment("sagas", "--compensate", saga_id, "--leave", "mail", "--dry-run", "--json"))
    assert [step["undoes"] for step in dry["steps"]] == ["session-s-3@1"]
    why = ("--leave", "mail", "--reason", "wrote to bob")
    assert "What was appended" in muniment("sagas", "--compensate", saga_id, *why).stdout
    (row,) = [each for each in data(muniment("sagas", "--json")) if each["saga_id"] == saga_id]
    assert (row["status"], row["reason"]) == ("compensated", "wrote to bob")
    assert error(muniment("sagas", "--compensate", saga_id, "--json")) == "saga_ended"
    assert error(muniment("sagas", "--compensate", "none", "--json")) == "saga_not_found"


def test_a_saga_is_resolved(muniment: Run) -> None:
    (row,) = data(muniment("sagas", "--unfinished", "--json"))
    for wrong in (
        ("--resolve", row["saga_id"]),
        ("--reason", "because"),
        ("--leave", "mail"),
        ("--dry-run",),
        ("--resolve", "a", "--compensate", "b"),
    ):
        assert error(muniment("sagas", *wrong, "--json")) == "invalid_argument"
    found = data(muniment("sagas", "--resolve", row["saga_id"], "--reason", "put right", "--json"))
    assert {each["name"]: each["status"] for each in found} == {"book": "compensated", "meet": "resolved"}
    assert data(muniment("sagas", "--unfinished", "--json")) == []


def test_the_demo_undoes_a_hand_over_that_fails_outside(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["demo", str(tmp_path / "demo.db"), "--json"])
    found = json.loads(result.stdout)["data"]
    assert found["findings"] == []
    story = found["hand_over"]
    assert story["footprints"] == {
        "before": {"site-a": "native"},
        "meanwhile": {"site-a": "delegated_out", "site-b": "delegated_in"},
        "after": {"site-a": "native"},
    }
    assert story["undone_outside"] == ["alice moves to site-b"]
    handed_over, reverted = (each for each in story["events"] if each["type"].startswith("session.hand"))
    assert reverted["metadata"]["compensates"] == [handed_over["id"]]
    assert "fails outside the journal" in CliRunner().invoke(cli, ["demo", str(tmp_path / "again.db")]).stdout


def test_every_refusal_is_told(muniment: Run, url: str) -> None:
    with Journal.open(url) as journal, pytest.raises(CommandRefused):
        journal.sessions.delegate("s-1", "A", "B")
    log = data(muniment("log", "--type", "*rejected*", "--json"))
    told = data(muniment("audit", "--refused", "--json"))
    assert [each["position"] for each in told] == [each["position"] for each in log][::-1]
    assert told[-1]["refused"]["from_authority"] == "A"
    assert (told[-1]["session_id"], told[-1]["artifact"]) == ("s-1", None)
    assert "A; B" in muniment("audit", "--refused").stdout
