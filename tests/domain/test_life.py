"""How sessions run out, end and are put away; what comes in; and sites (aura 2.2 to 2.8, 2.20; telltale 2.14)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from muniment.domain import (
    FULL_SESSION,
    BoundaryRejected,
    CapabilitySessionMismatch,
    DelegationConstrained,
    DelegationConstraint,
    DuplicateEnvelope,
    Envelope,
    EnvelopeNotFound,
    EnvelopeNotTaken,
    Fragments,
    InboxFull,
    InboxNotEmpty,
    InvalidArgument,
    LinkBoundary,
    OwnershipCapability,
    Placed,
    ScopeViolation,
    SessionDraining,
    SessionNotFinished,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TerminalReason,
    TickWentBack,
    TimeoutWitness,
    Unclaimed,
    UnknownRole,
    inbox,
    session,
    site,
)
from muniment.domain.bounds import MAX_INBOX_BYTES, MAX_PAYLOAD_BYTES, MAX_REMEMBERED_NAMES
from muniment.domain.content import size_and_sha256
from muniment.domain.inbox import InboxState, Selection
from muniment.domain.session import (
    MOVES,
    DelegationRequest,
    Ingress,
    RoundOutcome,
    SessionDrained,
    SessionEnded,
    SessionEnding,
    SessionOpened,
    SessionStatus,
    SessionTerms,
    TermsChanged,
)
from muniment.journal.testing import Given, given
from pydantic import ValidationError

from .facts import A1, ALPHA, BEGUN, CLAIMED, CLOSED, ISSUED, NO_INBOX, OPENED, RECEIPT, RELEASED, STRICT, WITNESS

TERMS = SessionTerms("p", "c", "worker", 500, 1_000)
BEGAN = SessionOpened("s-1", 1, ("worker", "reviewer"), (), TERMS)
DRAINED = SessionDrained(A1, 1)
_ANY = Selection()
ENVELOPE = Envelope("B", "A", "c", b"hello")
WHOLE = LinkBoundary.for_scope(FULL_SESSION)


def with_inbox(*envelopes: Envelope, incarnation: int = 1) -> InboxState:
    state = InboxState("s-1")
    for number, envelope in enumerate(envelopes, 1):
        state.apply(inbox.EnvelopePut("s-1", incarnation, number, envelope))
    return state


def in_inbox(state: InboxState, *happened: Any) -> Given:
    """Say what happened to a session's inbox."""
    return Given(*happened, state=state)


# Opening and terms


def test_opening_with_terms() -> None:
    terms = replace(TERMS, started_at=None)
    given().when(session.open_session, ("worker", "reviewer"), terms, now=1_000).then(BEGAN)
    assert given(BEGAN).state.terms.due_at == 1_500


def test_the_host_plays_a_role_that_there_is() -> None:
    given().when(session.open_session, ("reviewer",), SessionTerms(current_role="worker")).refused(
        UnknownRole, role="worker"
    )


def test_opening_before_the_session_last_ended_is_not_believed() -> None:
    ended = replace(CLOSED, ending=SessionEnding(ended_at=9_000, epoch=1))
    archived, opened = given(BEGAN, CLAIMED, ended).when(session.open_session, (), now=5_000).accepted()
    assert isinstance(archived, session.SessionArchived)
    assert (archived.incarnation, archived.terms, archived.ending) == (1, TERMS, ended.ending)
    assert isinstance(opened, SessionOpened)
    assert opened.terms == SessionTerms(started_at=9_000)


def test_what_is_put_away_is_not_put_away_again() -> None:
    closed = given(BEGAN, CLAIMED, CLOSED)
    (archived,) = closed.when(session.archive).accepted()
    assert isinstance(archived, session.SessionArchived)
    assert (archived.counts.roles, archived.last_owner, archived.outcome) == (2, "a", ("s-1", 1))
    put_away = closed.go(archived)
    put_away.when(session.archive).then()
    put_away.when(session.open_session, ()).then(SessionOpened("s-1", 2))


def test_an_open_session_is_not_put_away() -> None:
    given(BEGAN).when(session.archive).refused(SessionNotFinished, status="active")
    given(BEGAN, CLAIMED, DRAINED).when(session.archive).refused(SessionNotFinished, status="draining")


def test_terms_that_stay_append_nothing() -> None:
    changed = given(BEGAN).when(session.set_timeout, 900).accepted()
    assert changed == (TermsChanged("s-1", replace(TERMS, timeout_ms=900)),)
    given(BEGAN).when(session.set_timeout, 500).then()
    given(BEGAN).when(session.set_protocol, "p").then()
    given(BEGAN).when(session.set_protocol, None).then(TermsChanged("s-1", replace(TERMS, protocol_id=None)))
    given(BEGAN, CLAIMED, CLOSED).when(session.set_protocol, "q").refused(SessionTerminal)


def test_the_table_of_moves_names_every_status() -> None:
    assert {source for move in MOVES.values() for source in move.sources} == set(SessionStatus)
    assert {move.target for move in MOVES.values()} == {*SessionStatus, None} - {SessionStatus.UNOPENED}


# Draining


def test_draining_refuses_what_is_new() -> None:
    given(OPENED, CLAIMED).when(session.drain, A1).then(DRAINED)
    draining = given(OPENED, CLAIMED, DRAINED)
    draining.when(session.drain, A1).refused(SessionDraining)
    draining.when(session.delegate, None, DelegationRequest("A", "B")).refused(SessionDraining)
    draining.when(session.hand_over, None, A1, "b", DelegationRequest("A", "B"), None, policy=STRICT).refused(
        SessionDraining
    )
    in_inbox(NO_INBOX).when(session.put, draining.state, ENVELOPE).refused(SessionDraining)
    given(OPENED, CLAIMED, DRAINED, RELEASED).when(session.claim, "b", FULL_SESSION, policy=STRICT).refused(
        SessionDraining
    )


def test_all_else_goes_on_while_a_session_drains() -> None:
    draining = given(OPENED, CLAIMED, DRAINED)
    draining.when(session.check, A1).then()
    draining.when(session.issue_witness, A1, "commit.ready").then(ISSUED)
    draining.when(session.begin_transfer, A1, "b", None, policy=STRICT).then(BEGUN)
    draining.when(session.release, A1).then(RELEASED)
    draining.when(session.host, "A").then(session.SessionHosted("s-1", "A"))


def test_draining_takes_the_full_session() -> None:
    held = replace(A1, scope=ALPHA)
    given(OPENED, session.OwnershipClaimed(held)).when(session.drain, held).refused(ScopeViolation)


def test_a_draining_session_is_closed_with_an_empty_inbox() -> None:
    draining = given(OPENED, CLAIMED, DRAINED)
    draining.when(session.close, with_inbox(ENVELOPE), A1).refused(InboxNotEmpty, unread=1)
    (closed,) = draining.when(session.close, NO_INBOX, A1).accepted()
    assert isinstance(closed, session.SessionClosed)
    assert closed.ending == SessionEnding(epoch=2)


# Ending


def test_an_active_session_is_closed_with_what_is_unread_counted() -> None:
    then = given(BEGAN, CLAIMED).when(session.close, with_inbox(ENVELOPE, ENVELOPE), A1, now=4_000)
    lost = Placed("inbox-s-1", inbox.EnvelopesLost("s-1", 1, (1, 2)))
    ending = SessionEnding(ended_at=4_000, duration_ms=3_000, epoch=1, lost_envelopes=2)
    then.then(session.SessionClosed(A1, (), (), ending), elsewhere=(lost,))


def test_what_an_earlier_incarnation_left_is_not_counted() -> None:
    opened = given(OPENED, CLAIMED, CLOSED, SessionOpened("s-1", 2))
    (ended,) = opened.when(session.end, with_inbox(ENVELOPE), SessionStatus.CLOSED).accepted()
    assert isinstance(ended, SessionEnded)
    assert ended.ending.lost_envelopes == 0


@pytest.mark.parametrize(
    ("status", "kind", "epoch"),
    [
        (SessionStatus.CLOSED, "ended", 1),
        (SessionStatus.CANCELLED, "cancelled", 0),
        (SessionStatus.FAULTED, "faulted", 0),
    ],
)
def test_a_host_ends_a_session_whoever_owns_it(status: SessionStatus, kind: Any, epoch: int) -> None:
    owned = given(OPENED, CLAIMED, ISSUED, BEGUN)
    reason = TerminalReason(kind, "a", None, "over")
    (ended,) = owned.when(session.end, NO_INBOX, status, "over").accepted()
    assert ended == SessionEnded("s-1", status, reason, SessionEnding(epoch=epoch), A1, RECEIPT, (WITNESS,))
    owned.go(ended)
    assert (owned.state.live, owned.state.pending, owned.state.outstanding) == (None, None, set())
    owned.when(session.end, NO_INBOX, status, "over").refused(SessionTerminal, status=status, reason=reason)
    owned.when(session.check, A1).refused(SessionTerminal)


def test_a_host_ends_a_session_that_nobody_owns() -> None:
    (ended,) = given(OPENED).when(session.end, NO_INBOX, SessionStatus.CANCELLED, "nobody came").accepted()
    assert isinstance(ended, SessionEnded)
    assert (ended.capability, ended.reason.owner, str(ended.reason)) == (
        None,
        None,
        "cancelled by its host: nobody came",
    )
    given().when(session.end, NO_INBOX, SessionStatus.CLOSED).refused(SessionNotFound)


def test_the_end_leaves_the_footprint_and_the_fragments() -> None:
    hosted = given(OPENED, session.SessionHosted("s-1", "A"), CLAIMED)
    (ended,) = hosted.when(session.end, NO_INBOX, SessionStatus.CLOSED).accepted()
    assert isinstance(ended, SessionEnded)
    assert ended.ending.cleared == ("A",)
    assert hosted.go(ended).state.footprint == {}


def test_a_stale_namesake_does_not_kill() -> None:
    a2 = replace(A1, generation=2)
    reclaimed = given(OPENED, CLAIMED, RELEASED, session.OwnershipClaimed(a2))
    reclaimed.when(session.owner_died, NO_INBOX, "a", 1).refused(StaleCapability, generation=1, live_generation=2)
    (died,) = reclaimed.when(session.owner_died, NO_INBOX, "a", 2).accepted()
    assert isinstance(died, session.OwnerDied)
    assert died.witness.generation == 2


# Envelopes


def test_an_envelope_is_taken_and_acknowledged_once() -> None:
    owned = given(OPENED, CLAIMED).state
    waiting = in_inbox(InboxState("s-1"))
    (put,) = waiting.when(session.put, owned, ENVELOPE).accepted()
    waiting.go(put)
    (taken,) = waiting.when(session.take, owned, A1, _ANY).accepted()
    assert taken == inbox.EnvelopeTaken(A1, 1, ENVELOPE)
    waiting.when(session.acknowledge, owned, A1, 1).refused(EnvelopeNotTaken, taken_by=None)
    waiting.go(taken)
    waiting.when(session.take, owned, A1, _ANY).answers(None)
    (acknowledged,) = waiting.when(session.acknowledge, owned, A1, 1).accepted()
    waiting.go(acknowledged)
    waiting.when(session.acknowledge, owned, A1, 1).refused(EnvelopeNotFound, number=1)
    assert (waiting.state.unread, waiting.state.size, waiting.state.acknowledged) == ({}, 0, 1)


def test_a_later_generation_gets_what_was_not_acknowledged() -> None:
    a2 = replace(A1, generation=2)
    owned = given(OPENED, CLAIMED, RELEASED, session.OwnershipClaimed(a2)).state
    waiting = in_inbox(with_inbox(ENVELOPE), inbox.EnvelopeTaken(A1, 1, ENVELOPE))
    waiting.when(session.acknowledge, owned, A1, 1).refused_on_record(
        StaleCapability,
        elsewhere=(Placed("session-s-1", session.CapabilityRejected(A1, "capability is not live")),),
    )
    waiting.when(session.acknowledge, owned, a2, 1).refused(EnvelopeNotTaken, taken_by=1, generation=2)
    waiting.when(session.take, owned, a2, _ANY).then(inbox.EnvelopeTaken(a2, 1, ENVELOPE))


def test_what_is_given_back_is_delivered_again() -> None:
    owned = given(OPENED, CLAIMED).state
    taken = [inbox.EnvelopeTaken(A1, number, ENVELOPE) for number in (1, 2)]
    waiting = in_inbox(with_inbox(ENVELOPE, ENVELOPE, ENVELOPE), *taken)
    waiting.when(session.give_back, owned, A1, 3).refused(EnvelopeNotTaken)
    waiting.when(session.give_back, owned, A1, 9).refused(EnvelopeNotFound)
    waiting.when(session.give_back, owned, A1, 2).then(inbox.EnvelopesGivenBack("s-1", (2,), A1))
    (back,) = waiting.when(session.give_back, owned, A1, None).accepted()
    assert back == inbox.EnvelopesGivenBack("s-1", (1, 2), A1)
    waiting.go(back).when(session.give_back, owned, A1, None).answers(())
    waiting.when(session.take, owned, A1, _ANY).then(inbox.EnvelopeTaken(A1, 1, ENVELOPE))


@pytest.mark.parametrize(
    ("wanted", "envelope", "matches"),
    [
        (Selection(), ENVELOPE, True),
        (Selection(source="A"), ENVELOPE, True),
        (Selection(source="X"), ENVELOPE, False),
        (Selection(context="x"), ENVELOPE, False),
        (Selection(authority="B"), ENVELOPE, True),
        (Selection(authority="B", device="d"), ENVELOPE, True),
        (Selection(authority="B", device="d"), replace(ENVELOPE, device="d"), True),
        (Selection(authority="B", device="d"), replace(ENVELOPE, device="e"), False),
        (Selection(authority="B"), replace(ENVELOPE, device="e"), False),
        (Selection(authority="X"), ENVELOPE, False),
        (Selection(authority="X", device="d"), replace(ENVELOPE, device="d"), True),
        (Selection(authority="X", device="d"), ENVELOPE, False),
        (Selection(device="d"), replace(ENVELOPE, device="d"), True),
        (Selection(device="d"), replace(ENVELOPE, device="e"), False),
    ],
)
def test_which_envelopes_match(wanted: Selection, envelope: Envelope, matches: bool) -> None:
    assert wanted.matches(envelope) is matches


def test_a_named_envelope_is_put_once() -> None:
    owned = given(OPENED).state
    named = replace(ENVELOPE, name="greeting")
    waiting = in_inbox(with_inbox(ENVELOPE, named))
    waiting.when(session.put, owned, named).answers(2)
    waiting.when(session.put, owned, named).then()
    other = replace(named, payload=b"other")
    waiting.when(session.put, owned, other).refused(DuplicateEnvelope, name="greeting", number=2)
    # Also once it is over; and no more in another incarnation.
    waiting.go(inbox.EnvelopeTaken(A1, 2, named), inbox.EnvelopeAcknowledged(A1, 2))
    waiting.when(session.put, owned, named).answers(2)
    again = given(OPENED, CLAIMED, CLOSED, SessionOpened("s-1", 2)).state
    waiting.when(session.put, again, named).then(inbox.EnvelopePut("s-1", 2, 3, named))


def test_the_last_names_are_remembered_and_those_that_are_unread() -> None:
    state = InboxState("s-1")
    state.apply(inbox.EnvelopePut("s-1", 1, 0, replace(ENVELOPE, name="stays")))
    for number in range(1, MAX_REMEMBERED_NAMES + 2):
        state.apply(inbox.EnvelopePut("s-1", 1, number, replace(ENVELOPE, name=f"n-{number}")))
        state.apply(inbox.EnvelopeAcknowledged(A1, number))
    known = [name in state.names for name in ("stays", "n-1", "n-2", "n-3")]
    assert (len(state.names), known) == (MAX_REMEMBERED_NAMES, [True, False, False, True])


def test_an_inbox_has_bounds() -> None:
    small = given(SessionOpened("s-1", 1, (), (), SessionTerms(inbox_capacity=1))).state
    in_inbox(with_inbox(ENVELOPE)).when(session.put, small, ENVELOPE).refused(InboxFull, unread=1)
    large = replace(ENVELOPE, payload=bytes(MAX_PAYLOAD_BYTES))
    full = with_inbox(*[large] * (MAX_INBOX_BYTES // 87_600))
    in_inbox(full).when(session.put, given(OPENED).state, large).refused(InboxFull)


def test_nothing_is_put_where_no_session_is_open() -> None:
    in_inbox(NO_INBOX).when(session.put, given().state, ENVELOPE).refused(SessionNotFound)
    in_inbox(NO_INBOX).when(session.put, given(OPENED, CLAIMED, CLOSED).state, ENVELOPE).refused(SessionTerminal)


# Ingress


def test_ingress_is_admitted_under_the_live_capability_and_inside_the_boundary() -> None:
    payload = {"say": "hello"}
    _, digest = size_and_sha256(payload)
    ingress = Ingress("message", "worker", None, "reviewer", 15, digest, payload)
    owned = given(BEGAN, CLAIMED)
    accepted = session.IngressAccepted(A1, WHOLE, "message", "worker", None, "reviewer", 15, digest, payload)
    owned.when(session.accept_ingress, A1, WHOLE, ingress).then(accepted)
    assert owned.go(accepted).state.ingresses == 1
    owned.when(session.accept_ingress, A1, WHOLE, replace(ingress, size=3)).refused(InvalidArgument)
    owned.when(session.accept_ingress, A1, WHOLE, replace(ingress, from_role="ghost")).refused(
        UnknownRole, role="ghost"
    )
    stale = replace(A1, generation=9)
    owned.when(session.accept_ingress, stale, WHOLE, ingress).refused_on_record(
        StaleCapability, session.CapabilityRejected(stale, "capability is not live")
    )


def test_ingress_beyond_the_boundary_is_refused_on_record_once() -> None:
    held = replace(A1, scope=ALPHA)
    owned = given(BEGAN, session.OwnershipClaimed(held))
    beyond = LinkBoundary.for_scope(Fragments({"bundle:beta"}))
    rejected = session.IngressRejected(held, "boundary is out of the capability's reach")
    owned.when(session.accept_ingress, held, beyond, Ingress("x")).refused_on_record(BoundaryRejected, rejected)
    owned.go(rejected).when(session.accept_ingress, held, beyond, Ingress("x")).refused_on_record(BoundaryRejected)
    owned.when(session.accept_ingress, held, LinkBoundary.for_scope(ALPHA), Ingress("x")).accepted()


def test_a_round_is_recorded() -> None:
    owned = given(BEGAN, CLAIMED)
    recorded = session.RoundRecorded(A1, WHOLE, "worker", RoundOutcome.STUCK)
    owned.when(session.record_round, A1, WHOLE, "worker", RoundOutcome.STUCK).then(recorded)
    assert owned.go(recorded).state.rounds == 1
    owned.when(session.admit, A1, WHOLE, "ghost").refused(UnknownRole)
    given(BEGAN).when(session.admit, A1, WHOLE, "worker").refused_on_record(
        Unclaimed, session.CapabilityRejected(A1, "session has no owner")
    )


def test_a_capability_of_another_session() -> None:
    with pytest.raises(CapabilitySessionMismatch) as caught:
        session.require_session("s-2", A1)
    assert (caught.value.session_id, caught.value.capability_session_id) == ("s-2", "s-1")


# Starting and constraints


def test_a_session_starts_owned() -> None:
    held = OwnershipCapability("s-1", "a", 1, FULL_SESSION)
    started = given().when(session.start, "a", ("worker",), SessionTerms(), None, now=7)
    assert started.then(
        SessionOpened("s-1", 1, ("worker",), (), SessionTerms(started_at=7)),
        session.OwnershipClaimed(held),
        session.SessionStarted(held, WHOLE),
    ) == (held)


def test_delegations_keep_to_the_constraints() -> None:
    constraint = DelegationConstraint("worker", "reviewer", "chat")
    opened = replace(BEGAN, terms=replace(TERMS, constraints=(constraint,)))
    hosted = given(opened, session.SessionHosted("s-1", "A"))
    request = DelegationRequest("A", "B")
    hosted.when(session.delegate, None, request).refused(DelegationConstrained, required=None)
    roles = replace(request, from_role="worker", to_role="reviewer")
    hosted.when(session.delegate, None, roles).refused(DelegationConstrained, required="chat")
    hosted.when(session.delegate, None, replace(roles, to_role="ghost")).refused(UnknownRole)
    back = replace(request, from_role="reviewer", to_role="worker")
    (delegated,) = hosted.when(session.delegate, None, back).accepted()
    assert isinstance(delegated, session.SessionDelegated)
    assert (delegated.receipt.from_role, delegated.receipt.to_role) == ("reviewer", "worker")


# Sites


def at_site(*happened: Any) -> Given:
    return Given(*happened, state=site.SiteState("worker"))


@pytest.mark.parametrize(
    ("duration", "tick_length", "until"), [(20, 1, 21), (0, 1, 2), (1, 10, 2), (21, 10, 4), (500, 0, 2)]
)
def test_a_site_times_out_for_whole_ticks(duration: int, tick_length: int, until: int) -> None:
    witness = TimeoutWitness(1, "worker", 1, until)
    assert at_site().when(site.time_out, duration, tick_length, 1).then(site.SiteTimedOut(witness)) == witness


def test_a_newer_time_out_replaces_the_one_that_runs() -> None:
    first = TimeoutWitness(1, "worker", 1, 90)
    timed_out = at_site(site.SiteTimedOut(first))
    second = TimeoutWitness(2, "worker", 5, 6)
    timed_out.when(site.time_out, 1, 1, 5).then(site.SiteTimedOut(second, first))
    timed_out.when(site.time_out, 1, 1, 0).refused(TickWentBack, tick=0, last_tick=1)
    timed_out.go(site.SiteTimedOut(second, first))
    timed_out.when(site.expire, 5).then()
    timed_out.when(site.expire, 6).then(site.TimeoutExpired(second, 6))
    timed_out.go(site.TimeoutExpired(second, 6)).when(site.expire, 5).refused(TickWentBack, last_tick=6)
    assert timed_out.state.active is None


def test_a_site_crashes_once() -> None:
    at_site().when(site.crash).then(site.SiteCrashed("worker"))
    at_site(site.SiteCrashed("worker")).when(site.crash).then()


# Payloads


def stored_and_read(event: inbox.EnvelopePut) -> inbox.EnvelopePut:
    schema = inbox.EnvelopePut.__pydantic_validator__  # type: ignore[attr-defined]
    return schema.validate_json(inbox.EnvelopePut.__pydantic_serializer__.to_json(event))  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize(
    "content",
    [b"", b"\x00\xff", None, True, 3, 1.5, "é\u2028\0", [1, [None]], {"b": {"a": []}, "a": 1}, {"bytes": "x"}],
)
def test_a_payload_comes_back_as_it_was(content: Any) -> None:
    put = inbox.EnvelopePut("s-1", 1, 1, replace(ENVELOPE, payload=content, metadata=(("b", "2"), ("a", "1"))))
    read = stored_and_read(put)
    assert read == put
    assert read.envelope.payload == content
    assert type(read.envelope.payload) is type(content)
    assert size_and_sha256(read.envelope.payload) == size_and_sha256(content)


def test_a_payload_is_a_copy() -> None:
    given_in = {"say": ["hello"]}
    envelope = replace(ENVELOPE, payload=given_in)
    given_in["say"].append("changed")
    assert envelope.payload == {"say": ["hello"]}
    owned, waiting = given(OPENED, CLAIMED).state, in_inbox(with_inbox(envelope))
    taken = waiting.when(session.take, owned, A1, _ANY).then(inbox.EnvelopeTaken(A1, 1, envelope))
    taken.envelope.payload["say"].append("changed")
    waiting.when(session.take, owned, A1, _ANY).then(inbox.EnvelopeTaken(A1, 1, envelope))


NO_PAYLOADS: list[Any] = [
    (1, 2),
    {1: 2},
    float("nan"),
    object(),
    {"a": {1}},
    "\ud800",
    bytes(MAX_PAYLOAD_BYTES + 1),
    "x" * (MAX_PAYLOAD_BYTES - 1),
]


@pytest.mark.parametrize("content", NO_PAYLOADS, ids=range(len(NO_PAYLOADS)))
def test_what_is_no_payload(content: Any) -> None:
    with pytest.raises(InvalidArgument):
        replace(ENVELOPE, payload=content)


@pytest.mark.parametrize(
    "stored", ["5", "{}", '{"json":1,"bytes":""}', '{"bytes":5}', '{"bytes":"no base64!"}', '{"x":1}']
)
def test_what_is_stored_as_no_payload(stored: str) -> None:
    content = f'{{"destination":"b","source":"a","context":"c","payload":{stored}}}'
    with pytest.raises(ValidationError):
        Envelope.__pydantic_validator__.validate_json(content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("metadata", [{f"n-{number}": "" for number in range(65)}, (("a", "1"), ("a", "2")), {"a": 1}])
def test_what_is_no_metadata(metadata: Any) -> None:
    with pytest.raises(InvalidArgument):
        replace(ENVELOPE, metadata=metadata)


def test_metadata_is_kept_in_one_order() -> None:
    said: Any = {"a": "1", "b": "2"}
    assert replace(ENVELOPE, metadata=(("b", "2"), ("a", "1"))) == replace(ENVELOPE, metadata=said)
