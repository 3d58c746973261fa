"""What exceeds a bound is refused by a typed error; nothing is appended, and what is known stays as it was."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from itertools import count, repeat
from typing import Any

import pytest
from muniment.domain import (
    MAX_EVENT_BYTES,
    MAX_NAMES,
    BoundExceeded,
    CompositionManifest,
    EventTooLarge,
    Fragments,
    InvalidArgument,
    InvalidExport,
    LimitReached,
    LinkSpec,
    OwnershipCapability,
    RejectedCandidate,
    RejectionReason,
    RuntimeUpgradeRequest,
    UpgradePlan,
    UpgradeStep,
    accept,
)
from muniment.domain.bounds import MAX_INCARNATIONS, MAX_PARTS, MAX_ROLES, MAX_UPGRADE_STEPS
from muniment.domain.session import SessionClosed, SessionOpened
from muniment.journal import AsyncJournal, Journal


def test_a_session_has_so_many_roles_and_their_event_has_a_size(journal: Journal) -> None:
    journal.sessions.open("most", (f"{number}" for number in range(MAX_ROLES)))
    for endless in ((f"{number}" for number in range(MAX_ROLES + 1)), repeat("a"), map(str, count())):
        with pytest.raises(BoundExceeded, match="at most 65535"):
            journal.sessions.open("more", endless)
    with pytest.raises(EventTooLarge) as caught:
        journal.sessions.open("large", (f"{number:06}{'x' * 190}" for number in range(10_000)))
    assert caught.value.size > caught.value.most == MAX_EVENT_BYTES
    assert journal.head() == 1
    # What the journal knows of the stream is what it knew.
    journal.sessions.open("large", ["worker"])
    assert journal.sessions.state("large").roles == ("worker",)
    assert journal.verify().findings == ()


def test_an_event_that_is_too_large_leaves_the_async_journal_as_it_was() -> None:
    async def opened() -> int:
        async with await AsyncJournal.open("memory://") as journal:
            with pytest.raises(EventTooLarge):
                await journal.sessions.open("s", (f"{number:06}{'x' * 190}" for number in range(10_000)))
            await journal.sessions.open("s")
            return (await journal.sessions.claim("s", "alice")).generation

    assert asyncio.run(opened()) == 1


def test_an_import_takes_no_larger_event() -> None:
    with Journal.open("memory://") as journal:
        journal.sessions.open("s", ["worker"])
        lines = list(journal.export())
    wide = ",".join(f'"{number:06}{"x" * 190}"' for number in range(10_000))
    lines[0] = lines[0].replace(b'"worker"', wide.encode())
    with Journal.open("memory://") as journal:
        with pytest.raises(InvalidExport, match="at most 1048576"):
            journal.import_export(lines)
        assert journal.head() == 0


def named(number: int) -> tuple[str, ...]:
    return tuple(f"{each}" for each in range(number))


EXCEEDING: dict[str, Callable[[Journal, OwnershipCapability], Any]] = {
    "members": lambda journal, held: journal.bundles.seed_members("b", map(str, count())),
    "the bytes of members": lambda journal, held: journal.bundles.seed_members(
        "b", [f"{each:04}{'m' * 190}" for each in range(MAX_NAMES)]
    ),
    "fragments": lambda journal, held: Fragments(map(str, count())),
    "the bytes of a scope": lambda journal, held: journal.sessions.transfer(
        held, "bob", Fragments(f"{each:04}{'m' * 190}" for each in range(MAX_NAMES))
    ),
    "fragment keys": lambda journal, held: journal.sessions.release_fragments(held, named(MAX_NAMES + 1)),
    "link specs": lambda journal, held: CompositionManifest("p", tuple(map(LinkSpec, named(MAX_PARTS + 1)))),
    "manifests": lambda journal, held: journal.bundles.register_manifests(
        *[CompositionManifest(f"p-{each}", (LinkSpec("b"),)) for each in range(MAX_PARTS + 1)]
    ),
    "steps": lambda journal, held: UpgradePlan("p", tuple(map(UpgradeStep, named(MAX_UPGRADE_STEPS + 1)))),
    "stewards": lambda journal, held: journal.conversations.install_stewards("c", map(str, count())),
    "rejected candidates": lambda journal, held: journal.conversations.no_commit_found(
        "c", rejected=repeat(RejectedCandidate("h", "bob", RejectionReason.UNSTAGEABLE))
    ),
    "types to follow": lambda journal, held: journal.follow(types=repeat("session.opened.v1")),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("what", EXCEEDING)
def test_what_is_given_is_not_gone_through_to_its_end(what: str) -> None:
    with Journal.open("memory://") as journal:
        journal.sessions.open("s")
        held = journal.sessions.claim("s", "alice")
        head = journal.head()
        with pytest.raises(BoundExceeded):
            EXCEEDING[what](journal, held)
        assert journal.head() == head


def test_an_upgrade_asks_for_no_more_than_can_be_recorded(journal: Journal) -> None:
    journal.bundles.register_manifests(CompositionManifest("p", (LinkSpec("b"),)))
    journal.bundles.seed_members("b", ["a"])
    steps = tuple(UpgradeStep(f"{each}", frozenset(named(500))) for each in range(500))
    with pytest.raises(BoundExceeded, match="request"):
        journal.bundles.stage_upgrade("b", RuntimeUpgradeRequest("u", UpgradePlan("p", steps)))
    assert journal.head() == 2


def test_a_session_is_opened_so_often(journal: Journal) -> None:
    journal.sessions.open("s")
    held = journal.sessions.claim("s", "alice")
    journal.execute("session-s", lambda state: accept(SessionClosed(held)))
    journal.execute("session-s", lambda state: accept(SessionOpened("s", MAX_INCARNATIONS)))
    journal.sessions.close(journal.sessions.claim("s", "alice"))
    with pytest.raises(LimitReached, match="incarnations"):
        journal.sessions.open("s")


def test_a_clock_that_fails_is_an_error_of_its_setting() -> None:
    def failing() -> int:
        raise OSError("no clock")

    with Journal.open("memory://", clock=failing) as journal:
        with pytest.raises(InvalidArgument, match="clock") as caught:
            journal.sessions.open("s")
        assert isinstance(caught.value.__cause__, OSError)
        assert journal.head() == 0


def test_the_exception_of_what_a_caller_hands_in_goes_through(journal: Journal) -> None:
    def lines() -> Any:
        raise KeyError("the caller's own")
        yield b""

    def command(state: Any) -> Any:
        raise KeyError("the caller's own")

    with pytest.raises(KeyError, match="own"):
        journal.import_export(lines())
    with pytest.raises(KeyError, match="own"):
        journal.execute("session-s", command)
    with pytest.raises(InvalidArgument, match="must return Accepted or Refused"):
        journal.execute("session-s", lambda state: None)  # type: ignore[arg-type,return-value]
