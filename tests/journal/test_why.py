"""Why a session is owned and held as it is: the events that make it so, and no others."""

from __future__ import annotations

import json
import re
from time import perf_counter

import pytest
from muniment.domain import FULL_SESSION, Fragments, InvalidIdentifier, SessionNotFound, UnknownPosition
from muniment.domain.effects import SessionStatus
from muniment.journal import AsyncJournal, Journal, Provenance

from ..conftest import Clock
from .awaiting import run
from .provenance_checker import Story, not_minimal


def told(answer: Provenance) -> list[str]:
    """The events of an answer: version and sentence."""
    return [f"{event.id.rpartition('@')[2]} {event.sentence}" for event in answer.chain]


def test_each_event_that_led_to_the_owner_is_told(clock: Clock, journal: Journal) -> None:
    with journal.context(actor="supervisor"):
        journal.sessions.open("s-42", ["worker"])
        held = journal.sessions.claim("s-42", "agent-a")
        journal.sessions.issue_witness(held, "ready")
        receipt = journal.sessions.begin_transfer(held, "agent-b")
        clock.now = 2_000
        journal.sessions.commit_transfer(receipt)
    answer = journal.why("s-42")
    assert told(answer) == [
        "1 it was opened with worker",
        "2 agent-a claimed it: generation 1, full session",
        "4 agent-a staged a transfer to agent-b",
        "5 the transfer to agent-b, staged in session-s-42@4, was committed: generation 2, full session",
    ]
    assert answer.capability == journal.sessions.state("s-42").capability
    assert (answer.position, answer.holder, answer.last) == (5, None, ("session-s-42@5",))
    last = answer.chain[-1]
    assert (last.id, last.position, last.type) == ("session-s-42@5", 5, "session.transfer_committed.v1")
    assert (last.time, last.actor) == (2_000, "supervisor")
    assert last.depends_on == ("session-s-42@2", "session-s-42@4")


def test_owners_before_a_release_are_not_told(journal: Journal) -> None:
    journal.sessions.open("s")
    journal.sessions.release(journal.sessions.claim("s", "agent-a"))
    journal.sessions.claim("s", "agent-b", Fragments({"bundle:chat"}))
    assert told(journal.why("s")) == [
        "1 it was opened",
        "4 agent-b claimed it: generation 2, fragments {bundle:chat}",
    ]


def test_what_was_undone_is_told_as_undone(journal: Journal) -> None:
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "agent-a")
    journal.sessions.transfer(held, "agent-b")
    journal.revert("session-s@3")
    answer = journal.why("s")
    assert told(answer) == [
        "1 it was opened",
        "2 agent-a claimed it: generation 1, full session",
        "3 agent-a transferred it to agent-b: generation 2, full session",
        "4 session-s@3 was undone: agent-a owns it: generation 3, full session",
    ]
    assert [event.undone_by for event in answer.chain] == [None, None, "session-s@4", None]
    assert "[undone by session-s@4]" in str(answer)
    journal.revert("session-s@4")
    # It was done again, so it is not undone any more; what undid it is.
    assert [event.undone_by for event in journal.why("s").chain] == [None, None, None, "session-s@5", None]


def test_the_holder_is_told_with_hosting_and_delegations(journal: Journal) -> None:
    journal.sessions.open("s")
    journal.sessions.host("s", "A")
    journal.sessions.delegate("s", "A", "B")
    journal.revert("session-s@3")
    journal.sessions.delegate("s", "A", "C")
    answer = journal.why("s")
    # The delegation that was undone before has no part in it.
    assert told(answer) == ["1 it was opened", "2 A hosts it", "5 A delegated it to C"]
    assert answer.headline == "nobody owns it, and nobody did; C holds it by delegation"
    before = journal.why("s", 4)
    assert told(before)[2:] == ["3 A delegated it to B", "4 session-s@3 was undone: A holds it again"]
    assert before.headline == "nobody owns it, and nobody did; A holds it natively"


def test_a_hand_over_tells_what_owner_and_holder_come_from(journal: Journal) -> None:
    journal.sessions.open("s")
    journal.sessions.host("s", "A")
    held = journal.sessions.claim("s", "agent-a")
    journal.sessions.hand_over(held, "agent-b", from_authority="A", to_authority="B")
    answer = journal.why("s")
    assert [event.depends_on for event in answer.chain] == [
        (),
        ("session-s@1",),
        ("session-s@1",),
        ("session-s@2", "session-s@3"),
    ]
    assert answer.last == ("session-s@4",)
    assert told(answer)[3] == ("4 agent-a handed it over to agent-b: generation 2, full session; A delegated it to B")


def test_where_nobody_owns_it_the_last_ownership_and_its_end_are_told(journal: Journal) -> None:
    journal.sessions.open("s")
    journal.sessions.release(journal.sessions.claim("s", "agent-a"))
    journal.sessions.owner_died("s", journal.sessions.claim("s", "agent-b").owner)
    answer = journal.why("s")
    assert told(answer) == [
        "1 it was opened",
        "4 agent-b claimed it: generation 2, full session",
        "5 its owner agent-b died, and it faulted",
    ]
    assert answer.headline == "nobody owns it; its last owner was agent-b; no authority holds it"
    assert answer.status is SessionStatus.FAULTED
    journal.sessions.open("s")
    assert told(journal.why("s")) == ["7 incarnation 2 was opened"]
    journal.revert("session-s@7")
    # The incarnation before stands again, and so does what ended it.
    assert told(journal.why("s")) == told(answer)


def test_a_moment_is_taken_as_everywhere(clock: Clock, journal: Journal) -> None:
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "agent-a")
    journal.sessions.transfer(held, "agent-b")
    for moment in (2, "2", "session-s@2", "HEAD~1", journal.at(2)):
        answer = journal.why("s", moment)
        assert (answer.position, answer.capability) == (2, held)
    with pytest.raises(UnknownPosition):
        journal.why("s", 99)


def test_a_session_that_was_not_opened_is_not_found(journal: Journal) -> None:
    with pytest.raises(SessionNotFound):
        journal.why("s")
    journal.sessions.open("s")
    with pytest.raises(SessionNotFound):
        journal.why("s", 0)
    journal.revert(1)
    with pytest.raises(SessionNotFound):
        journal.why("s")
    with pytest.raises(InvalidIdentifier):
        journal.why("")


def test_the_answer_is_json_too(journal: Journal) -> None:
    journal.sessions.open("s")
    journal.sessions.claim("s", "agent-a", Fragments({"b", "a"}))
    told = json.loads(json.dumps(journal.why("s").to_json()))
    assert told["scope"] == ["a", "b"]
    assert (told["owner"], told["generation"], told["holder"], told["holds"]) == ("agent-a", 1, None, None)
    assert told["chain"][1] == {
        "id": "session-s@2",
        "position": 2,
        "type": "session.ownership_claimed.v1",
        "time": 1_000,
        "actor": None,
        "sentence": "agent-a claimed it: generation 1, fragments {a, b}",
        "depends_on": ["session-s@1"],
        "undone_by": None,
    }


def test_the_graph_is_one_whatever_names_are_in_it(journal: Journal) -> None:
    strange = '"]; end --> x(("<b>&#34;`{}|\\' + "\u00e9" + "x" * 150
    journal.sessions.open(strange)
    with journal.context(actor='quoted "by" me'):
        held = journal.sessions.claim(strange, 'a]b"c')
    journal.sessions.transfer(held, "y" * 200)
    journal.revert(3)
    lines = journal.why(strange).to_mermaid().split("\n")
    label = r"(?:[\w .,:@-]|#\d+;|<br/>)*"
    shapes = (
        r"flowchart TD",
        rf"    e\d+\[\"{label}\"\](:::undone)?",
        rf"    now\(\[\"{label}\"\]\)",
        r"    e\d+ --> (e\d+|now)",
        r"    e\d+ -\. undone \.-> e\d+",
        r"    classDef undone stroke-dasharray: 5 5",
    )
    for line in lines:
        assert any(re.fullmatch(shape, line) for shape in shapes), line
        assert len(line) < 3_000
    assert sum(":::undone" in line for line in lines) == 1


def test_long_chains_are_told_in_time_that_grows_with_them() -> None:
    with Journal.open("memory://") as journal:
        journal.sessions.open("s")
        held = journal.sessions.claim("s", "a")
        for number in range(1_500):
            held = journal.sessions.transfer(held, f"a-{number}")
        began = perf_counter()
        answer = journal.why("s")
        # Square, it would take minutes.
        assert perf_counter() - began < 10
        assert len(answer.chain) == 1_502
        assert answer.capability is not None
        assert answer.capability.scope == FULL_SESSION


def test_the_checker_sees_what_is_missing_and_what_is_too_much() -> None:
    with Journal.open("memory://") as journal:
        journal.sessions.open("s")
        journal.sessions.release(journal.sessions.claim("s", "agent-a"))
        held = journal.sessions.claim("s", "agent-b")
        journal.sessions.transfer(held, "agent-c")
        journal.sessions.set_timeout("s", 1_000)
        records = list(journal.read())
    story = Story("s", records)
    opened, first, _, second, last, timed = records
    result = story.five[-1]
    assert story.problem([opened, second, last], result) == ""
    assert "comes out otherwise" in story.problem([opened, last], result)
    assert "is refused" in story.problem([opened, first, second, last], result)
    assert "is refused" in story.problem([second, last], result)
    assert "leads to" in story.problem([opened, second], result)
    assert story.problem(records, result) == ""
    assert not_minimal(story, [opened, second, last, timed], result) == [timed.id]


def test_it_can_be_awaited(url: str) -> None:
    async def story(journal: AsyncJournal) -> None:
        await journal.sessions.open("s")
        await journal.sessions.claim("s", "agent-a")
        sentence = "agent-a claimed it: generation 1, full session"
        assert told(await journal.why("s", 2)) == ["1 it was opened", f"2 {sentence}"]
        assert (await journal.explain(2)).sentence == sentence

    run(url, story)


def test_who_may_only_read_is_told_too(shared_url: str) -> None:
    with Journal.open(shared_url) as journal:
        journal.sessions.open("s")
        journal.sessions.claim("s", "agent-a")
        expected = journal.why("s")
    with Journal.open(shared_url, read_only=True) as journal:
        assert journal.why("s") == expected
        assert journal.explain(2).rows != ()
