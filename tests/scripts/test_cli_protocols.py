"""``muniment types``, ``edges`` and ``usage``: for people and for programs."""

from __future__ import annotations

from pathlib import Path

import pytest
from muniment.journal import Journal

from ..journal.stories import EDGE, OFFER, PLAN
from .conftest import Run, data


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A session in which an offer was made; its owner set a handler and a trace."""
    place = f"sqlite:///{tmp_path / 'j.db'}"
    with Journal.open(place) as journal:
        journal.sessions.open("s-1", plan=PLAN)
        held = journal.sessions.claim("s-1", "alice")
        journal.inbox.put("s-1", OFFER, capability=held)
        journal.sessions.set_edge_handler(held, EDGE, "mine")
        journal.sessions.set_edge_trace(held, EDGE, ["price"])
        journal.sessions.open("s-2", ["worker"])
    return place


def test_types(muniment: Run) -> None:
    buyer, seller = data(muniment("types", "--json"))
    assert (buyer["session_id"], buyer["role"], buyer["step"]) == ("s-1", "buyer", 1)
    assert [step["label"] for step in buyer["permitted"]] == ["no", "yes"]
    assert buyer["original"][0] == {"kind": "mu", "name": "again", "body": 1}
    assert seller["permitted"] == [
        {"direction": "receive", "partner": "buyer", "label": "offer", "value_type": "price"}
    ]
    assert data(muniment("types", "s-1", "--at", "1", "--json"))[0]["step"] == 0
    assert data(muniment("types", "s-2", "--json")) == []
    assert "receive 'offer'" in muniment("types", "s-1").stdout


def test_edges(muniment: Run) -> None:
    there, back = data(muniment("edges", "s-1", "--json"))
    assert (there["handler"], there["trace"], there["queued"]) == ("mine", ["price"], 1)
    assert (back["handler"], back["queued"], len(back["root"])) == ("default_handler", 0, 64)
    assert there["root"][:12] in muniment("edges").stdout
    assert data(muniment("edges", "--at", "0", "--json")) == []


def test_usage(muniment: Run) -> None:
    found = data(muniment("usage", "--json"))
    assert (found["live_sessions"], found["local_types"], found["edge_leaves"]) == (2, 2, 1)
    assert found["total_bytes"] == sum(found["stored_bytes"].values()) > 0
    assert found["entries"]["events"] == 6
    shown = muniment("usage").stdout
    assert "local types" in shown
    assert "total" in shown


@pytest.mark.parametrize("command", ["types", "edges"])
def test_a_name_that_is_none_is_wrong_input(muniment: Run, command: str) -> None:
    assert muniment(command, "x" * 201).exit_code == 2


def test_a_plan_is_shown_whole(muniment: Run) -> None:
    shown = data(muniment("show", 1, "--json"))
    assert shown["data"]["plan"]["roles"] == ["buyer", "seller"]
