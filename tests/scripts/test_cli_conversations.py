"""The commands that show conversations and let time go by, as a user types them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from muniment.domain import CATALOGUE, ConfigChanges, ConversationConfig, CreatorVote, ProposalRequest
from muniment.journal import Journal
from muniment.scripts.cli import cli
from muniment.scripts.describe import describe
from muniment.scripts.describe_conversations import DESCRIPTIONS

from ..conversation_sequences import Command, begin, give
from .conftest import Run, data

START = 1_700_000_000_000


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A journal with a conversation in which something is due, and one that waits."""
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        team = journal.conversations
        team.join("[b]team", "alice", now=START)
        team.joined("[b]team", 5, ["bob", "carol"], now=START)
        team.install_stewards("[b]team", ["bob", "carol"], now=START)
        request = ProposalRequest.add_member("dave")
        team.receive_proposal("[b]team", 1, request, creator="carol", voters=3, vote=True, now=START)
        team.join("other", "alice", ConversationConfig(commit_inactivity_ms=10_000), now=START)
    return url


def test_where_each_conversation_stands(muniment: Run) -> None:
    team, other = data(muniment("conversations", "--json"))
    assert (team["conversation_id"], team["phase"], team["proposals"]) == ("[b]team", "working", 1)
    assert team["deadlines"] == [
        {"due_at": START + 10_000, "kind": "auto_vote", "proposal_id": 1, "window_ms": None, "vote": True},
    ]
    assert (other["phase"], other["deadlines"][0]["kind"]) == ("pending_join", "join_expiry")
    assert [each["life"] for each in data(muniment("conversations", "--json", "--at", 1))] == ["open"]
    table = muniment("conversations")
    assert "[b]team" in table.stdout
    assert "auto_vote of proposal 1 at 2023-11-14T22:13:30.000Z" in table.stdout


def test_what_is_due(muniment: Run) -> None:
    found = data(muniment("deadlines", "--json"))
    assert [(each["conversation_id"], each["kind"], each["due_at"]) for each in found] == [
        ("[b]team", "auto_vote", START + 10_000),
        ("other", "join_expiry", START + 30_000),
    ]
    assert len(data(muniment("deadlines", "--json", "--at", "1"))) == 1
    lines = muniment("deadlines").stdout.splitlines()
    assert "2023-11-14T22:13:30.000Z" in lines[4]
    assert str(START + 30_000) in lines[5]


def test_time_goes_by(muniment: Run, url: str) -> None:
    nothing = muniment("tick", "--now", START)
    assert (nothing.exit_code, nothing.stderr) == (0, "")
    assert nothing.stdout == "Nothing was due at 2023-11-14T22:13:20.000Z.\nThe next is due in 10000 ms.\n"
    alone = data(muniment("tick", "other", "--now", START + 10_000, "--json"))
    assert alone == {"now": START + 10_000, "next_wakeup_ms": 20_000, "happened": []}
    with Journal.open(url) as journal:
        assert journal.head() == 8
    happened = muniment("tick", "--now", START + 10_000, "--actor", "clockwork")
    assert "proposal 1: yes (votes; 2 yes, 0 no, of 3)" in happened.stdout
    assert happened.stdout.endswith("The next is due in 20000 ms.\n")
    (expired,) = data(muniment("tick", "--now", START + 31_000, "--json"))["happened"]
    assert expired["conversation_id"] == "other"
    assert [each["type"] for each in expired["events"]] == [
        "conversation.pending_join_expired.v1",
        "conversation.member_leaving.v1",
    ]
    with Journal.open(url) as journal:
        fired = [each for each in journal.read() if "auto_vote_fired" in each.type]
        assert [each.metadata.actor for each in fired] == ["clockwork"]
    # The clock of the machine is far ahead of these times.
    assert "was due at 20" in muniment("tick").stdout


def test_one_conversation_whole(muniment: Run) -> None:
    for now in (11_000, 80_000, 115_000):
        muniment("tick", "--now", START + now)
    told = data(muniment("conversation", "[b]team", "--json"))
    row = told["conversation"]
    assert (row["phase"], row["mode"], row["approved"]) == ("reelection", "normal", 1)
    assert [(each["proposal_id"], each["status"]) for each in told["proposals"]] == [(1, "yes")]
    assert told["proposals"][0]["request"]["target"] == "dave"
    assert [(each["phase"], each["lasted_ms"]) for each in told["phases"]] == [
        ("pending_join", 0),
        ("working", 80_000),
        ("freezing", 35_000),
        ("selection", 0),
        ("reelection", None),
    ]
    assert [(each["kind"], each["lateness_ms"]) for each in told["late"]] == [
        ("auto_vote", 1_000),
        ("inactivity", 9_000),
        ("freeze", 5_000),
    ]
    shown = muniment("conversation", "[b]team").stdout
    for part in ("[b]team", "reelection", "add_member", "Done late", "9000"):
        assert part in shown
    then = data(muniment("conversation", "[b]team", "--json", "--at", 6))
    assert (then["conversation"]["phase"], then["late"]) == ("working", [])
    assert len(then["conversation"]["deadlines"]) == 1
    assert "What is due" in muniment("conversation", "[b]team", "--at", 6).stdout


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("conversation", "nowhere"), "there is no conversation 'nowhere'"),
        (("conversation", "x" * 10_000), "at most 200 are allowed"),
        (("conversation", "other", "--at", 1), "there is no conversation 'other'"),
        (("conversations", "--at", 99), "99"),
        (("deadlines", "--at", "soon"), "'soon' is no moment"),
        (("tick", "nowhere"), "there is no conversation 'nowhere'"),
        (("tick", "--now", -1), "not in the range"),
        (("tick", "--now", 2**62), "before the year 10000"),
        (("tick", "--now", "noon"), "not a valid integer"),
    ],
)
def test_wrong_input_is_told_and_changes_nothing(
    muniment: Run, url: str, arguments: tuple[object, ...], problem: str
) -> None:
    result = muniment(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert problem in result.stderr
    with Journal.open(url) as journal:
        assert journal.head() == 8


def test_errors_as_json(muniment: Run) -> None:
    result = muniment("tick", "nowhere", "--json")
    assert (result.exit_code, result.stdout) == (2, "")
    assert json.loads(result.stderr)["error"]["code"] == "conversation_not_found"


def test_times_beyond_the_calendar_are_shown_in_ms(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/late.db"
    end = 253_402_300_799_999
    with Journal.open(url) as journal:
        journal.conversations.join("c", "alice", now=end)
    shown = CliRunner().invoke(cli, ["deadlines", "--journal", url])
    assert f"{end + 180_000} ms" in shown.stdout
    assert CliRunner().invoke(cli, ["conversation", "c", "--journal", url]).exit_code == 0


def test_every_event_of_a_conversation_is_told_in_words(tmp_path: Path) -> None:
    types = {cls for name, cls in CATALOGUE.types().items() if name.startswith(("conversation.", "consumer."))}
    assert types <= set(DESCRIPTIONS)
    seen = set()
    with Journal.open("memory://") as journal:
        begin(journal, 0)
        ops = ["open_proposal", "receive_proposal", "vote", "approve", "tick", "buffer_candidate", "commit_applied"]
        for number, op in enumerate(ops * 12 + ["report_failure", "sync_config", "leave", "remove"]):
            give(journal, Command(op, 0, 1 + number % 3, number % 7, number % 2 == 0), number * 9)
        journal.conversations.create("d", "alice", now=0)
        journal.conversations.sync_config("d", ConfigChanges(freeze_ms=9), epoch=1, now=0)
        journal.conversations.open_proposal(
            "d", 1, ProposalRequest.steward_election(), voters=3, creator_vote=CreatorVote.DEFERRED, now=0
        )
        journal.rollback("conversation-d", 0)
        *_, last = journal.conversations.notifications("ui")
        journal.conversations.acknowledge(last)
        for record in journal.read():
            text = describe(record.event)
            assert text
            # No value is shown as Python would.
            assert not re.search(r"None|True|False|<|\w\(", text), text
            seen.add(type(record.event))
    assert len(seen & types) >= 25, {each.type for each in types - seen}


@pytest.mark.parametrize("events", [3, 300])
def test_what_peers_say_forges_no_line_and_drives_no_terminal(events: int, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/forged.db"
    forged = "x\n99999  2026-01-01T00:00:00.000Z  forged\x1b]0;pwned\x07\u2028\u061c\u202ered"
    with Journal.open(url) as journal:
        journal.conversations.create("team:fire:1", "alice", now=0)
        for _ in range(events):
            journal.conversations.report_failure("team:fire:1", "send", forged, now=0)
    for arguments in (["log", "-n", "0"], ["tail", "-n", "400"], ["show", "2"], ["conversations"], ["log", "-n", "2"]):
        shown = CliRunner().invoke(cli, [*arguments, "--journal", url]).stdout
        assert not any(line.startswith("99999") for line in shown.splitlines())
        assert not set(shown) & set("\x1b\x07\u2028\u061c\u202e")
        assert "team:fire:1" in shown
        if arguments[0] in ("log", "tail"):
            assert r"x\n99999" in shown
            assert r"\x1b]0;pwned\x07\u2028\u061c\u202ered" in shown
    with Journal.open(url) as journal:
        journal.conversations.create("x\u202ey", "alice", now=0)
        position = journal.head()
        journal.conversations.open_proposal("x\u202ey", 1, ProposalRequest.steward_election(), voters=3, now=0)
    refused = CliRunner().invoke(cli, ["revert", str(position), "--journal", url])
    assert refused.exit_code == 2
    assert r"x\u202ey" in refused.stderr
