"""The commands that tell why, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from muniment.domain import StaleCapability
from muniment.journal import Journal

from .conftest import Run, data


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A journal in which a session was transferred, and the owner before came too late."""
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url, clock=lambda: 1_767_261_600_000) as journal, journal.context(actor="supervisor"):
        journal.sessions.open("s-42")
        held = journal.sessions.claim("s-42", "agent-a")
        journal.sessions.transfer(held, "agent-b")
        with pytest.raises(StaleCapability):
            journal.sessions.check(held)
    return url


def code(result: Result) -> str:
    assert result.exit_code == 2
    assert result.stdout == ""
    return str(json.loads(result.stderr)["error"]["code"])


def test_why_tells_the_events_now_and_then(muniment: Run) -> None:
    result = muniment("why", "s-42")
    assert result.exit_code == 0
    assert result.stdout == (
        "session s-42 as of position 4: agent-b owns it: generation 2, full session; no authority holds it\n"
        "session-s-42@1  2026-01-01T10:00:00.000Z  supervisor\n"
        "    it was opened\n"
        "session-s-42@2  2026-01-01T10:00:00.000Z  supervisor\n"
        "    agent-a claimed it: generation 1, full session\n"
        "session-s-42@3  2026-01-01T10:00:00.000Z  supervisor\n"
        "    agent-a transferred it to agent-b: generation 2, full session\n"
    )
    found = data(muniment("why", "s-42", "--json"))
    assert (found["owner"], found["generation"], found["position"]) == ("agent-b", 2, 4)
    assert found["chain"][2]["time"] == "2026-01-01T10:00:00.000Z"
    then = data(muniment("why", "s-42", "--at", "session-s-42@2", "--json"))
    assert (then["owner"], [event["position"] for event in then["chain"]]) == ("agent-a", [1, 2])
    assert data(muniment("why", "s-42", "--at", 2, "--json")) == then
    assert data(muniment("why", "s-42", "--at", "2026-01-01T10:00:00Z", "--json"))["position"] == 4


def test_why_draws_a_graph(muniment: Run) -> None:
    lines = muniment("why", "s-42", "--mermaid").stdout.splitlines()
    assert lines[0] == "flowchart TD"
    assert "    e2 --> e3" in lines
    result = muniment("why", "s-42", "--mermaid", "--json")
    assert result.exit_code == 2
    assert "choose one" in result.stderr


def test_why_says_what_is_wrong(muniment: Run) -> None:
    assert code(muniment("why", "s-43", "--json")) == "session_not_found"
    assert code(muniment("why", "s-42", "--at", 99, "--json")) == "unknown_position"
    assert code(muniment("why", "s-42", "--at", "once upon a time", "--json")) == "invalid_moment"


def test_explain_tells_a_refusal(muniment: Run) -> None:
    result = muniment("explain", "session-s-42@4")
    assert result.exit_code == 0
    assert result.stdout == muniment("explain", 4).stdout
    assert "lost 0 ms before, by session-s-42@3 (session.ownership_transferred.v1" in result.stdout
    assert "instead: agent-b owned it: generation 2, full session, since session-s-42@3\n" in result.stdout
    refusal = data(muniment("explain", 4, "--json"))["refusal"]
    assert refusal["presented"]["owner"] == "agent-a"
    assert (refusal["lost_by"]["id"], refusal["lost_by"]["time"]) == ("session-s-42@3", "2026-01-01T10:00:00.000Z")


def test_explain_tells_what_any_other_event_did(muniment: Run) -> None:
    found = data(muniment("explain", 2, "--json"))
    assert found["refusal"] is None
    assert [later["id"] for later in found["dependents"]] == ["session-s-42@3"]
    assert "owners" in [row["table"] for row in found["rows"]]
    assert "depends on it: session-s-42@3" in muniment("explain", 2).stdout
    assert code(muniment("explain", 9, "--json")) == "unknown_position"
    assert code(muniment("explain", "session-s-42@9", "--json")) == "unknown_event"
