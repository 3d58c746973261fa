"""Each event that can be undone against each that can follow it: what holds it in place, said beside the commands.

The table here says again, by the guards of the commands, what an event of each type needs to be as it is, and what it
changes. Every act is done in many situations, every act that can follow is done after it, and the first is undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import pytest
from muniment.domain import (
    CATALOGUE,
    CommandRefused,
    ComposedBundle,
    ConfigChanges,
    CreatorVote,
    Fragments,
    InvalidInput,
    LaterEventDepends,
    NotCompensable,
    RecordedEvent,
    compensation,
)
from muniment.domain.conversation.phases import PERMITTED, operation_of
from muniment.journal import Journal

from ..domain.conversation_facts import ADD, DEADLOCK, ELECTION
from .conversation_stories import approved, member, newcomer
from .stories import claim, claim_fragments, live, open_session, pending, register, upgrade_to

Act = Callable[[Journal], Any]

NEEDS_AND_CHANGES: Final[dict[str, tuple[str, str]]] = {
    # An opening needs no live incarnation, and is all that comes after it.
    "session.opened": ("", "life place"),
    "session.opening_withdrawn": ("", "life place"),
    # A session is hosted if nobody holds it, delegated if nobody owns it, handed over by holder and owner.
    "session.hosted": ("life", "place"),
    "session.hosting_withdrawn": ("life", "place"),
    "session.delegated": ("life owner", "place"),
    "session.delegation_reverted": ("life owner", "place"),
    "session.handed_over": ("life", "place owner"),
    "session.hand_over_reverted": ("life", "place owner"),
    # It is claimed if nobody owns it; all else takes the live capability, and nothing or something staged.
    **dict.fromkeys(
        (
            "session.ownership_claimed",
            "session.ownership_released",
            "session.ownership_transferred",
            "session.scope_attenuated",
            "session.transfer_begun",
            "session.transfer_committed",
            "session.transfer_rolled_back",
            "session.ownership_restored",
        ),
        ("life", "owner"),
    ),
    # These take the live capability and leave it; the witness, the fragments and the edge are named by the event.
    **dict.fromkeys(
        (
            "session.witness_issued",
            "session.witness_withdrawn",
            "session.witness_consumed",
            "session.fragments_claimed",
            "session.fragments_moved",
            "session.fragments_released",
            "session.fragments_restored",
            "session.handler_set",
            "session.handler_restored",
            "session.trace_set",
            "session.trace_restored",
        ),
        ("life owner", ""),
    ),
    # The end of a session is the end of everything in it.
    **dict.fromkeys(
        (
            "session.closed",
            "session.ended",
            "session.owner_died",
            "session.transfer_abandoned",
            "session.transfer_commit_failed",
        ),
        ("", "life place owner draining terms"),
    ),
    # A session runs out by the live capability; its host says its terms.
    "session.drained": ("life owner", "draining"),
    "session.draining_withdrawn": ("life owner", "draining"),
    "session.terms_changed": ("life", "terms"),
    # Members are said of a bundle that is known. An upgrade that failed changed none.
    "bundle.registered": ("", "bundle"),
    "bundle.linked": ("", "bundle"),
    "bundle.withdrawn": ("", "bundle"),
    **dict.fromkeys(
        (
            "bundle.members_seeded",
            "bundle.members_restored",
            "bundle.upgrade_staged",
            "bundle.upgrade_admitted",
            "bundle.upgrade_committed",
            "bundle.upgrade_rolled_back",
        ),
        ("bundle", "members"),
    ),
    "bundle.upgrade_failed": ("", ""),
    # All that happens in a conversation takes that it is open; leaving it ends that.
    "conversation.opened": ("", "open phase mode config"),
    "conversation.withdrawn": ("", "open phase mode config"),
    "conversation.member_joined": ("open", "stewards"),
    "conversation.member_leaving": ("", "open phase"),
    "conversation.removed": ("", "open phase"),
    "conversation.phase_changed": ("open", "phase"),
    "conversation.phase_timer_anchored": ("open", "phase"),
    "conversation.operating_mode_changed": ("open", "mode"),
    "conversation.election_retries_changed": ("open", "retries"),
    "conversation.config_synced": ("open", "config"),
    "conversation.steward_list_installed": ("open", "stewards"),
    "conversation.score_changed": ("open", ""),
    "conversation.freeze_round_opened": ("open", "round"),
    "conversation.freeze_round_withdrawn": ("open", "round"),
    "conversation.candidate_buffered": ("open", "round"),
    "conversation.freeze_round_finalized": ("open stewards", "round phase"),
    "conversation.commit_applied": ("open", "approved phase retries stewards round"),
    # A proposal is voted on while it is open, and so long something is due of it; each is named by the event.
    **dict.fromkeys(
        ("conversation.proposal_opened", "conversation.proposal_received", "conversation.proposal_withdrawn"),
        ("open", "proposal"),
    ),
    **dict.fromkeys(
        ("conversation.auto_vote_scheduled", "conversation.auto_vote_cancelled"),
        ("open proposal", "auto_vote"),
    ),
    **dict.fromkeys(
        ("conversation.consensus_timeout_scheduled", "conversation.consensus_timeout_cancelled"),
        ("open proposal", "timeout"),
    ),
    "conversation.auto_vote_fired": ("open", "auto_vote"),
    "conversation.consensus_timeout_fired": ("open", "timeout"),
    "conversation.vote_cast": ("open proposal", "votes"),
    "conversation.consensus_resolved": ("open votes", "proposal"),
    "conversation.proposal_approved": ("open", "approved"),
}
IN_NOBODYS_WAY: Final = {
    "session.capability_rejected",
    "session.receipt_rejected",
    "session.witness_rejected",
    "session.delegation_rejected",
    "session.ingress_rejected",
    "session.ingress_accepted",
    "session.round_recorded",
    "session.started",
    "session.archived",
    "bundle.link_rejected",
    "conversation.operation_failed",
    "conversation.host_told",
    "conversation.leave_initiated",
    "conversation.pending_join_expired",
    "conversation.auto_vote_failed",
    "conversation.removal_deduplicated",
}
NEEDED_THEN: Final = {
    "inactivity": {"config", "mode", "retries", "round"},
    "candidate": {"round"},
    "freeze_window": {"config"},
    "all_candidates": {"stewards"},
}
"""What made it time for a phase to change, which undoing the change does not need any more."""


def name_of(record: RecordedEvent) -> str:
    return record.type.rpartition(".v")[0]


def words(record: RecordedEvent) -> tuple[set[str], set[str]]:
    """What an event needs and what it changes, with what it names itself."""
    event: Any = record.event
    needs, changes = (set(text.split()) for text in NEEDS_AND_CHANGES[name_of(record)])
    for name in ("fragments", "moved_fragments", "released_fragments", "restored_fragments"):
        changes |= {each.key for each in getattr(event, name, ())}
    changes |= {f"witness {each.witness_id}" for each in getattr(event, "voided", ())}
    if name_of(record).startswith("session.witness_"):
        changes.add(f"witness {event.witness.witness_id}")
    upgrades = [getattr(event, name, None) for name in ("artifact", "upgrade", "previous_upgrade")]
    if record.stream.startswith("bundle-"):
        changes |= {f"upgrade {each.upgrade_id}" for each in upgrades if each is not None}
    if hasattr(event, "member"):
        changes.add(f"score {event.member}")
    number = getattr(event, "proposal_id", None) or getattr(getattr(event, "proposal", None), "proposal_id", None)
    if number is not None:
        of_proposals = {"proposal", "votes", "auto_vote", "timeout"}
        needs = {f"{each} {number}" if each in of_proposals else each for each in needs}
        changes = {f"{each} {number}" if each in of_proposals else each for each in changes}
    return needs, changes


def holds(later: RecordedEvent, record: RecordedEvent) -> bool:
    """Whether the later event holds the earlier one in place."""
    if name_of(later) in IN_NOBODYS_WAY:
        return False
    (later_needs, later_changes), (needs, changes) = words(later), words(record)
    event, earlier = later.event, record.event
    if name_of(later) == "conversation.phase_changed":
        later_needs |= NEEDED_THEN.get(event.cause, set())  # type: ignore[attr-defined]
    if name_of(record) == "conversation.phase_changed" and name_of(later) == "conversation.proposal_opened":
        kind = event.proposal.request.kind  # type: ignore[attr-defined]
        if earlier.previous not in PERMITTED[operation_of(kind)]:  # type: ignore[attr-defined]
            return True
    return bool((later_needs | later_changes) & changes or later_changes & needs)


def is_over(record: RecordedEvent, journal: Journal) -> bool:
    """Whether what an event did has ended by itself: a witness, an upgrade, or a deadline of what is not voted on."""
    event: Any = record.event
    state: Any = journal.read_state(record.stream, lambda state: state)
    match name_of(record):
        case "session.witness_issued":
            return event.witness.witness_id not in state.outstanding
        case "session.transfer_begun":
            return state.pending is None
        case "bundle.upgrade_staged":
            return state.pending is None or state.pending.upgrade_id != event.artifact.upgrade_id
        case "conversation.auto_vote_scheduled" | "conversation.auto_vote_cancelled":
            is_open = event.proposal_id in state.proposals and "alice" not in state.votes[event.proposal_id]
            return not is_open and event.proposal_id not in state.auto_votes
        case "conversation.consensus_timeout_scheduled" | "conversation.consensus_timeout_cancelled":
            return event.proposal_id not in state.proposals and event.proposal_id not in state.timeouts
    return False


def undo(back: int, stream: str) -> Act:
    """Undo the last event of a stream, or one before it."""

    def act(journal: Journal) -> None:
        records = list(journal.read_stream(stream))
        if len(records) <= back:
            raise UndoesNothing
        journal.revert(records[-1 - back].id)

    return act


class UndoesNothing(Exception):
    """There is no such event."""


def release_chat(journal: Journal) -> None:
    journal.sessions.release_fragments(live(journal), ["bundle:chat"])


def consume(journal: Journal) -> None:
    view = journal.sessions.state("s-1")
    if not view.outstanding_witnesses:
        raise UndoesNothing
    journal.sessions.consume_witness(live(journal), view.outstanding_witnesses[0])


def hand_over(journal: Journal) -> None:
    holder = journal.sessions.state("s-1").holder or "A"
    taker = "B" if holder == "A" else "A"
    journal.sessions.hand_over(live(journal), "bob", from_authority=holder, to_authority=taker)


def accept(journal: Journal) -> None:
    name = f"by {journal.head()}"
    journal.sessions.rebind("s-1", name)
    journal.sessions.owned(live(journal), binding=name).accept("message")


def delegate(journal: Journal) -> None:
    holder = journal.sessions.state("s-1").holder or "A"
    journal.sessions.delegate("s-1", holder, "B" if holder == "A" else "C")


SESSION: Final[dict[str, Act]] = {
    "open": open_session,
    "host": lambda journal: journal.sessions.host("s-1", "A"),
    "delegate": delegate,
    "hand over": hand_over,
    "claim": claim,
    "release": lambda journal: journal.sessions.release(live(journal)),
    "transfer": lambda journal: journal.sessions.transfer(live(journal), "bob"),
    "attenuate": lambda journal: journal.sessions.attenuate(live(journal), Fragments({"bundle:chat", "bundle:vote"})),
    "begin": lambda journal: journal.sessions.begin_transfer(live(journal), "bob"),
    "commit": lambda journal: journal.sessions.commit_transfer(pending(journal)),
    "roll back": lambda journal: journal.sessions.rollback_transfer(pending(journal)),
    "issue": lambda journal: journal.sessions.issue_witness(live(journal), "ready"),
    "consume": consume,
    "claim fragments": claim_fragments,
    "move": lambda journal: journal.sessions.move_fragments(live(journal), ["bundle:vote"], "carol"),
    "release chat": release_chat,
    "close": lambda journal: journal.sessions.close(live(journal)),
    "start": lambda journal: journal.sessions.start("s-1", "alice", binding=f"at {journal.head()}"),
    "accept": lambda journal: accept(journal),
    "drain": lambda journal: journal.sessions.drain(live(journal)),
    "time out": lambda journal: journal.sessions.set_timeout("s-1", journal.head()),
    "end": lambda journal: journal.sessions.end("s-1"),
    "reap": lambda journal: journal.sessions.reap(),
    "die": lambda journal: journal.sessions.owner_died("s-1", live(journal).owner),
    "abandon": lambda journal: journal.sessions.abandon_transfer(pending(journal)),
    "fail": lambda journal: journal.sessions.fail_transfer_commit(pending(journal), "broken"),
    "undo": undo(0, "session-s-1"),
    "undo the one before": undo(1, "session-s-1"),
}
SESSIONS: Final = (
    ("",),
    ("open",),
    ("open", "host"),
    ("open", "host", "claim"),
    ("open", "host", "claim", "claim fragments"),
    ("open", "host", "claim", "issue", "begin"),
    ("open", "host", "claim", "release"),
    ("open", "host", "delegate", "claim", "release chat"),
    ("open", "host", "claim", "claim fragments", "release chat"),
    ("open", "host", "delegate"),
    ("open", "host", "claim", "hand over"),
    ("open", "host", "claim", "issue"),
    ("start", "drain"),
    ("start", "time out", "drain", "undo"),
    ("start", "end"),
)


def seed(journal: Journal) -> None:
    members = journal.bundles["chat"].members if "chat" in journal.bundles else ()
    journal.bundles.seed_members("chat", ["x", "z"] if "y" in members else ["x", "y"])


def register_others(journal: Journal) -> None:
    for name in ("vote", "quiz"):
        journal.bundles.register(ComposedBundle(name))


def upgrade(*members: str) -> Act:
    def act(journal: Journal) -> None:
        journal.bundles.stage_upgrade("chat", upgrade_to(*members, upgrade_id=f"u-{journal.head()}"))

    return act


def on_pending(name: str, *arguments: str) -> Act:
    def act(journal: Journal) -> None:
        under_way = journal.read_state("bundle-chat", lambda state: state.pending)
        getattr(journal.bundles, name)("chat", "none" if under_way is None else under_way.upgrade_id, *arguments)

    return act


BUNDLE: Final[dict[str, Act]] = {
    "register": register,
    "register others": register_others,
    "link": lambda journal: journal.bundles.link("vote", "quiz", "chat"),
    "seed": seed,
    "stage": upgrade("x", "w"),
    "stage badly": upgrade("q"),
    "admit": on_pending("admit_upgrade"),
    "commit": on_pending("commit_upgrade"),
    "give up": on_pending("rollback_upgrade", "no time"),
    "undo": undo(0, "bundle-chat"),
    "undo the one before": undo(1, "bundle-chat"),
}
BUNDLES: Final = (
    ("",),
    ("register",),
    ("register others",),
    ("register", "seed"),
    ("register", "seed", "stage"),
    ("register", "seed", "stage", "admit"),
    ("register", "seed", "stage badly"),
)


def tick(wait: int) -> Act:
    def act(journal: Journal) -> None:
        if not journal.conversations.tick(time_of(journal) + wait):
            raise UndoesNothing

    return act


def time_of(journal: Journal) -> int:
    return int(journal.read_state("conversation-c", lambda state: state.situation.at))


def talk(name: str, *arguments: Any, **named: Any) -> Act:
    """A command on the conversation, at the time of its last event."""
    return lambda journal: getattr(journal.conversations, name)("c", *arguments, **named, now=time_of(journal))


CONVERSATION: Final[dict[str, Act]] = {
    "join": talk("join", "alice"),
    "create": talk("create", "alice"),
    "let in": talk("joined", 5, ["alice", "bob", "carol"]),
    "member": member,
    "newcomer": newcomer,
    "approved": approved,
    "steward": talk("install_stewards", ["carol"]),
    "sync": talk("sync_config", ConfigChanges(commit_inactivity_ms=9), epoch=5),
    "open": talk("open_proposal", 5, ADD, voters=3, creator_vote=CreatorVote.DEFERRED),
    "elect": talk("open_proposal", 6, ELECTION, voters=3, creator_vote=CreatorVote.DEFERRED),
    "receive": talk("receive_proposal", 7, ADD, creator="carol", voters=3),
    "emergency": talk("receive_proposal", 8, DEADLOCK, creator="carol", voters=3),
    "confirm": talk("approve", 8),
    "refute": talk("reject", 8),
    "vote": talk("vote", 5, True),
    "peer votes": talk("receive_vote", 5, "bob", True),
    "approve": talk("approve", 5),
    "lose": talk("reject", 6),
    "win": talk("accept_election", 6, ["carol"]),
    "vote later": talk("schedule_auto_vote", 5, False, delay_ms=77),
    "vote never": talk("cancel_auto_vote", 5),
    "wait longer": talk("schedule_timeout", 5, delay_ms=77),
    "wait": talk("cancel_timeout", 5),
    "tick": tick(0),
    "tick much later": tick(60_000),
    "offer": talk("buffer_candidate", "h-1", "carol", proposals=1),
    "commit": talk("commit_applied", "h-1", "carol"),
    "fail": talk("report_failure", "send", "no route"),
    "remove": talk("remove"),
    "undo": undo(0, "conversation-c"),
    "undo the one before": undo(1, "conversation-c"),
}
CONVERSATIONS: Final = (
    ("",),
    ("join",),
    ("create",),
    ("member",),
    ("member", "open"),
    ("member", "approved", "tick"),
    ("newcomer", "approved", "tick", "sync", "tick much later"),
    ("member", "elect"),
    ("member", "emergency", "refute"),
    ("member", "emergency", "confirm"),
    ("member", "approved", "tick", "undo", "undo the one before"),
    ("member", "emergency", "confirm", "elect", "win"),
)

Situation = tuple[str, ...]
SUBJECTS: Final[dict[str, tuple[dict[str, Act], Sequence[Situation]]]] = {
    "session": (SESSION, SESSIONS),
    "bundle": (BUNDLE, BUNDLES),
    "conversation": (CONVERSATION, CONVERSATIONS),
}


def try_to(act: Act, journal: Journal, stream: str) -> list[RecordedEvent]:
    """The events of the stream that an act leads to."""
    head = journal.head()
    # What is refused may be on record.
    with suppress(CommandRefused, InvalidInput, UndoesNothing, AssertionError):
        act(journal)
    return [record for record in journal.read(head) if record.stream == stream]


def situations(subject: str) -> Iterable[Any]:
    for situation in SUBJECTS[subject][1]:
        yield pytest.param(subject, situation, id=", ".join((subject, *filter(None, situation))))


def brought_to(journal: Journal, subject: str, situation: Situation) -> None:
    acts = SUBJECTS[subject][0]
    for name in filter(None, situation):
        try_to(acts[name], journal, "")


def pairs(subject: str, situation: Situation) -> Iterator[tuple[Journal, list[RecordedEvent], list[RecordedEvent]]]:
    """Each act that is accepted in a situation, and each that is accepted after it, in a journal of their own."""
    acts = SUBJECTS[subject][0]
    stream = {"session": "session-s-1", "bundle": "bundle-chat", "conversation": "conversation-c"}[subject]
    for first in acts.values():
        with Journal.open("memory://") as journal:
            brought_to(journal, subject, situation)
            if not try_to(first, journal, stream):
                continue
        for second in acts.values():
            with Journal.open("memory://") as journal:
                brought_to(journal, subject, situation)
                done = try_to(first, journal, stream)
                then = try_to(second, journal, stream)
                if then:
                    yield journal, done, then


@pytest.mark.parametrize(("subject", "situation"), [each for name in SUBJECTS for each in situations(name)])
def test_an_event_is_held_by_what_needed_or_changed_what_it_did(subject: str, situation: Situation) -> None:
    for journal, done, then in pairs(subject, situation):
        for number, record in enumerate(done):
            check(journal, record, [*done[number + 1 :], *then])
        # And so it is, not only in a plan.
        if not journal.revert(done[-1].id, dry_run=True).obstacles:
            journal.revert(done[-1].id)
            assert journal.verify().findings == ()


def check(journal: Journal, record: RecordedEvent, then: list[RecordedEvent]) -> None:
    """See that a later event holds one in place if the table says so, and no other does."""
    (obstacle, *_) = (*journal.revert(record.id, dry_run=True).obstacles, None)
    told = f"{name_of(record)}, then {[name_of(later) for later in then]}: {obstacle}"
    if compensation.why_it_stays(record.event):
        assert isinstance(obstacle, NotCompensable), told
        return
    undone = {event_id for later in then for event_id in later.metadata.compensates or ()}
    if record.id in undone or undone & set(record.metadata.compensates or ()):
        return
    # What came and went since is as if it had not been.
    ids = {later.id for later in then}
    lasting = [later for later in then if later.id not in undone and not ids & set(later.metadata.compensates or ())]
    holding = [later for later in lasting if holds(later, record) and not is_over(later, journal)]
    if holding:
        assert isinstance(obstacle, LaterEventDepends), told
        assert obstacle.later_event_id == holding[-1].id, told
        assert obstacle.stays == compensation.why_it_stays(holding[-1].event), told
    elif is_over(record, journal):
        assert isinstance(obstacle, NotCompensable), told
    else:
        assert obstacle is None, told


def test_the_table_is_of_every_type_that_a_session_a_bundle_or_a_conversation_has() -> None:
    of_subjects = {name.rpartition(".v")[0] for name in CATALOGUE.types() if name.partition(".")[0] in SUBJECTS}
    # They stand in the stream of the inbox.
    of_subjects -= {"session.type_advanced", "session.type_restored"}
    assert NEEDS_AND_CHANGES.keys() | IN_NOBODYS_WAY == of_subjects
