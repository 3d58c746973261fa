"""Sessions with a plan: types advance, edges carry envelopes in order, owners set handlers, and proofs hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st
from muniment.domain import (
    Envelope,
    EnvelopeNeedsCapability,
    EnvelopeNotFound,
    EnvelopeOutOfOrder,
    EventTooLarge,
    Fragments,
    InvalidArgument,
    LaterEventDepends,
    MunimentError,
    NoLocalType,
    NotCompensable,
    OwnershipCapability,
    ScopeViolation,
    SessionTerminal,
    StaleCapability,
    TypeViolation,
    UnknownEdge,
    UnknownRole,
)
from muniment.domain.inbox import envelope_digest
from muniment.domain.protocol import (
    DEFAULT_HANDLER,
    Branch,
    Direction,
    Edge,
    End,
    Mu,
    Send,
    SessionPlan,
    TypeStep,
    Var,
    is_proven,
    tree_root,
    unfold,
)
from muniment.journal import Journal

from ..drawing import drawn
from ..protocols import plans
from .stories import EDGE, OFFER, PLAN

BACK = Edge("s-1", "seller", "buyer")


@pytest.fixture
def journal(url: str) -> Iterator[Journal]:
    with Journal.open(url) as opened:
        opened.sessions.open("s-1", plan=PLAN)
        yield opened
        assert opened.verify().findings == ()
        assert opened.replay().differences == {}


@pytest.fixture
def held(journal: Journal) -> OwnershipCapability:
    return journal.sessions.claim("s-1", "alice")


def answer(label: str) -> Envelope:
    return Envelope("A", "B", "c", {"answer": label}, edge=BACK, label=label)


def refused(journal: Journal, error: type[MunimentError], act: Callable[[], Any]) -> Any:
    """The error of a command that appends nothing."""
    head = journal.head()
    with pytest.raises(error) as caught:
        act()
    assert journal.head() == head
    return caught.value


# Opening


def test_a_session_plays_the_roles_of_its_plan(journal: Journal) -> None:
    assert journal.sessions["s-1"].roles == ("buyer", "seller")
    assert journal.types.plan("s-1") == PLAN
    assert [(edge.sender, edge.receiver) for edge in PLAN.edges] == [key[1:] for key in journal.edges]
    row = journal.types["s-1", "buyer"]
    assert (row.current, row.original, row.step) == (unfold(row.original), PLAN.type_of("buyer").original, 0)  # type: ignore[union-attr]
    assert row.permitted == (TypeStep(Direction.SEND, "seller", "offer", "price"),)


def test_a_plan_is_reused_and_started_owned(journal: Journal) -> None:
    started = journal.sessions.start("s-2", "bob", plan=PLAN)
    journal.sessions.advance(started.capability, "buyer", "send", "seller", "offer", "price")
    assert journal.types["s-2", "buyer"].step == 1
    assert journal.types["s-1", "buyer"].step == 0
    started.close()


def test_the_roles_are_those_of_the_plan(journal: Journal) -> None:
    journal.sessions.open("s-2", ["buyer", "seller"], plan=PLAN)
    error = refused(journal, InvalidArgument, lambda: journal.sessions.open("s-3", ["seller", "buyer"], plan=PLAN))
    assert "those of the plan" in str(error)
    refused(journal, InvalidArgument, lambda: journal.sessions.open("s-3", plan="none"))  # type: ignore[arg-type]
    other = SessionPlan(("buyer",))
    with journal.context(idempotency_key="k"):
        journal.sessions.open("s-3", plan=other)
        journal.sessions.open("s-3", plan=other)
        refused(journal, MunimentError, lambda: journal.sessions.open("s-3", plan=PLAN))


def test_reopening_begins_the_types_again(journal: Journal, held: OwnershipCapability) -> None:
    journal.inbox.put("s-1", OFFER, capability=held)
    journal.sessions.close(held)
    assert journal.types["s-1", "buyer"].step == 1
    journal.sessions.open("s-1", plan=PLAN)
    again = journal.sessions.claim("s-1", "alice")
    assert journal.types["s-1", "buyer"].step == 0
    assert journal.edges["s-1", "buyer", "seller"].queued == 0
    assert journal.sessions.advance(again, "buyer", "send", "seller", "offer", "price").number == 1
    journal.sessions.close(again)
    journal.sessions.open("s-1")
    assert (dict(journal.types), dict(journal.edges), journal.types.plan("s-1")) == ({}, {}, None)


# Advancing


def test_a_role_takes_the_steps_of_its_type_and_no_others(journal: Journal, held: OwnershipCapability) -> None:
    wrong = [
        ("receive", "seller", "offer", "price"),
        ("send", "buyer", "offer", "price"),
        ("send", "seller", "other", "price"),
        ("send", "seller", "offer", "cost"),
        ("send", "seller", "offer", None),
    ]
    for step in wrong:
        error = refused(journal, TypeViolation, partial(journal.sessions.advance, held, "buyer", *step))
        assert error.expected == (TypeStep(Direction.SEND, "seller", "offer", "price"),)
    taken = journal.sessions.advance(held, "buyer", Direction.SEND, "seller", "offer", "price")
    assert (taken.number, taken.previous) == (1, 0)
    before = journal.head()
    journal.sessions.advance(held, "buyer", "receive", "seller", "yes")
    assert journal.types["s-1", "buyer"].current == End()
    assert journal.at(position=before).types["s-1", "buyer"].step == 1
    error = refused(journal, TypeViolation, lambda: journal.sessions.advance(held, "buyer", "send", "seller", "offer"))
    assert "nothing more" in str(error)


def test_only_the_owner_of_an_open_session_advances(journal: Journal, held: OwnershipCapability) -> None:
    def advance(capability: OwnershipCapability, role: str = "buyer") -> Any:
        return lambda: journal.sessions.advance(capability, role, "send", "seller", "offer", "price")

    refused(journal, UnknownRole, advance(held, "nobody"))
    refused(journal, InvalidArgument, lambda: journal.sessions.advance(held, "buyer", "up", "seller", "offer"))
    stale = journal.sessions.attenuate(held, held.scope)
    with pytest.raises(StaleCapability):
        advance(held)()
    assert [record.artifact for record in journal.audit.records("s-1") if record.event == "rejected"] == [held]
    journal.sessions.close(stale)
    refused(journal, SessionTerminal, advance(stale))
    journal.sessions.open("s-2", ["buyer", "seller"])
    unplanned = journal.sessions.claim("s-2", "bob")
    error = refused(journal, NoLocalType, advance(unplanned))
    assert "open the session with a plan" in str(error)


# Envelopes


def test_an_envelope_advances_its_sender_when_it_is_put(journal: Journal, held: OwnershipCapability) -> None:
    refused(journal, EnvelopeNeedsCapability, lambda: journal.inbox.put("s-1", OFFER))
    assert journal.inbox.put("s-1", OFFER, capability=held) == 1
    assert (journal.types["s-1", "buyer"].step, journal.types["s-1", "seller"].step) == (1, 0)
    refused(journal, TypeViolation, lambda: journal.inbox.put("s-1", OFFER, capability=held))
    assert list(journal.edges.buffer(EDGE)) == [1]


def test_its_receiver_advances_when_it_is_acknowledged_and_once(journal: Journal, held: OwnershipCapability) -> None:
    journal.inbox.put("s-1", OFFER, capability=held)
    taken = journal.inbox.take(held)
    assert taken is not None
    journal.inbox.give_back(held, 1)
    assert journal.inbox.take(held) == taken
    assert journal.types["s-1", "seller"].step == 0
    journal.inbox.acknowledge(held, 1)
    assert journal.types["s-1", "seller"].step == 1
    refused(journal, EnvelopeNotFound, lambda: journal.inbox.acknowledge(held, 1))
    assert journal.edges.buffer(EDGE) == {}


def test_a_named_envelope_that_comes_again_is_no_second_step(journal: Journal, held: OwnershipCapability) -> None:
    named = Envelope("B", "A", "c", b"12", name="first", edge=EDGE, label="offer", value_type="price")
    assert journal.inbox.put("s-1", named, capability=held) == 1
    head = journal.head()
    assert journal.inbox.put("s-1", named, capability=held) == 1
    assert (journal.head(), journal.types["s-1", "buyer"].step) == (head, 1)


def test_an_edge_keeps_its_order(url: str) -> None:
    plan = SessionPlan(("a", "b"), {"a": Mu("x", Send("b", {"n": Var("x")}))})
    with Journal.open(url) as journal:
        held = journal.sessions.start("s", "alice", plan=plan).capability
        edge = Edge("s", "a", "b")
        for _ in range(2):
            journal.inbox.put("s", Envelope("B", "A", "c", 1, edge=edge, label="n"), capability=held)
        journal.inbox.take(held)
        journal.inbox.take(held)
        error = refused(journal, EnvelopeOutOfOrder, lambda: journal.inbox.acknowledge(held, 2))
        assert (error.number, error.first) == (2, 1)
        journal.inbox.acknowledge(held, 1)
        # The receiver has no type, so nothing is judged on its side.
        journal.inbox.acknowledge(held, 2)


@pytest.mark.parametrize("edge", [Edge("s-2", "buyer", "seller"), Edge("s-1", "buyer", "other")])
def test_an_edge_is_one_of_the_session(journal: Journal, held: OwnershipCapability, edge: Edge) -> None:
    envelope = Envelope("B", "A", "c", 1, edge=edge, label="offer", value_type="price")
    refused(journal, UnknownEdge, lambda: journal.inbox.put("s-1", envelope, capability=held))
    refused(journal, UnknownEdge, lambda: journal.sessions.set_edge_handler(held, edge, "mine"))
    refused(journal, UnknownEdge, lambda: journal.sessions.set_edge_trace(held, edge, ["price"]))
    with pytest.raises(UnknownEdge):
        journal.edges.root(edge)


@pytest.mark.parametrize("fields", [{"edge": EDGE}, {"label": "offer"}, {"value_type": "price"}])
def test_edge_and_label_go_together(fields: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument):
        Envelope("B", "A", "c", 1, **fields)


# Undoing


def test_an_envelope_that_is_taken_back_takes_its_step_back(journal: Journal, held: OwnershipCapability) -> None:
    journal.inbox.put("s-1", OFFER, capability=held)
    put = journal.head()
    journal.revert(put)
    assert journal.types["s-1", "buyer"].step == 0
    journal.revert(put + 1)
    row = journal.types["s-1", "buyer"]
    # The same step, under a number of its own.
    assert (row.step, [step.label for step in row.permitted]) == (2, ["no", "yes"])


def test_steps_that_are_taken_again_follow_each_other(journal: Journal, held: OwnershipCapability) -> None:
    first = journal.sessions.advance(held, "buyer", "send", "seller", "offer", "price")
    begun = journal.head()
    second = journal.sessions.advance(held, "buyer", "receive", "seller", "no")
    assert (second.number, second.previous) == (2, first.number)
    for position in (begun + 1, begun):
        journal.revert(position)
    for position in (begun + 3, begun + 2):
        journal.revert(position)
    steps = [record.event.advance for record in journal.read(begun + 3)]  # type: ignore[attr-defined]
    assert [(step.number, step.previous) for step in steps] == [(3, 0), (4, 3)]
    journal.revert(journal.head())
    assert journal.types["s-1", "buyer"].step == 3


def test_a_step_that_others_follow_is_not_undone(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.advance(held, "buyer", "send", "seller", "offer", "price")
    first = journal.head()
    journal.sessions.advance(held, "seller", "receive", "buyer", "offer", "price")
    journal.inbox.put("s-1", answer("no"), capability=held)
    journal.inbox.take(held)
    journal.inbox.acknowledge(held, 1)
    refused(journal, LaterEventDepends, lambda: journal.revert(first))
    # Acknowledged stays acknowledged; what its sender did with it stays as well.
    refused(journal, LaterEventDepends, lambda: journal.revert(first + 1))
    refused(journal, LaterEventDepends, lambda: journal.revert(first + 2))
    refused(journal, NotCompensable, lambda: journal.revert(journal.head()))
    refused(journal, LaterEventDepends, lambda: journal.revert(1))


def test_a_step_of_an_incarnation_that_is_over_stays(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.advance(held, "buyer", "send", "seller", "offer", "price")
    step = journal.head()
    journal.sessions.close(held)
    refused(journal, SessionTerminal, lambda: journal.revert(step))
    journal.sessions.open("s-1", plan=PLAN)
    refused(journal, NotCompensable, lambda: journal.revert(step))


# Edges


def test_handlers_fall_back_to_the_default(journal: Journal, held: OwnershipCapability) -> None:
    assert journal.edges.handler_of(EDGE) == DEFAULT_HANDLER == "default_handler"
    journal.sessions.set_default_handler(held, "mine")
    journal.sessions.set_edge_handler(held, EDGE, "own")
    assert [journal.edges.handler_of(edge) for edge in (EDGE, BACK)] == ["own", "mine"]
    head = journal.head()
    journal.sessions.set_edge_handler(held, EDGE, "own")
    assert journal.head() == head
    row = journal.edges["s-1", "seller", "buyer"]
    assert (row.handler, row.has_own_handler) == ("mine", False)
    used = [each for each in journal.audit.records("s-1") if each.event == "exercised"]
    assert [(each.artifact, each.reason) for each in used] == [
        (held, "default handler set to mine"),
        (held, "handler of buyer to seller set to own"),
    ]
    before = journal.at(position=head - 1).edges
    assert before.handler_of(EDGE) == "mine"
    journal.revert(head)
    assert journal.edges.handler_of(EDGE) == "mine"
    journal.revert(head - 1)
    assert journal.edges.handler_of(EDGE) == DEFAULT_HANDLER


def test_who_holds_fragments_sets_no_handlers(journal: Journal) -> None:
    part = journal.sessions.claim("s-1", "alice", Fragments({"role:buyer"}))
    refused(journal, ScopeViolation, lambda: journal.sessions.set_default_handler(part, "mine"))
    refused(journal, ScopeViolation, lambda: journal.sessions.set_edge_handler(part, EDGE, "mine"))
    refused(journal, ScopeViolation, lambda: journal.sessions.set_edge_trace(part, EDGE, ["price"]))


def test_closing_clears_buffers_and_traces_and_keeps_types_and_handlers(
    journal: Journal, held: OwnershipCapability
) -> None:
    journal.sessions.set_edge_handler(held, EDGE, "own")
    journal.sessions.set_edge_trace(held, EDGE, ["price", "price"])
    journal.inbox.put("s-1", OFFER, capability=held)
    assert journal.edges["s-1", "buyer", "seller"].trace == ("price", "price")
    journal.sessions.close(held)
    row = journal.edges["s-1", "buyer", "seller"]
    assert (row.trace, journal.edges.buffer(EDGE), row.handler, row.queued) == ((), {}, "own", 1)
    assert journal.types["s-1", "buyer"].step == 1
    journal.sessions.reap()
    counts = journal.archive["s-1", 1].counts
    assert (counts.roles, counts.local_types, counts.edges, counts.edge_handlers) == (2, 2, 2, 1)
    assert (counts.edge_leaves, counts.edge_trees, counts.edge_roots) == (1, 1, 1)
    assert (dict(journal.types), dict(journal.edges)) == ({}, {})


def test_a_step_is_taken_again_only_under_the_live_capability(journal: Journal, held: OwnershipCapability) -> None:
    journal.sessions.advance(held, "buyer", "send", "seller", "offer", "price")
    journal.revert(journal.head())
    journal.inbox.put("s-1", OFFER, capability=held)
    journal.revert(journal.head())
    withdrawn = journal.head()
    journal.sessions.transfer(held, "bob")
    for position in (withdrawn, withdrawn - 2):
        error = refused(journal, NotCompensable, lambda position=position: journal.revert(position))  # type: ignore[misc]
        assert "not live any more" in str(error)


def test_a_handler_that_is_undone_leaves_no_edge_behind(url: str) -> None:
    with Journal.open(url) as journal:
        journal.sessions.open("s", ["a", "b"])
        held = journal.sessions.claim("s", "alice")
        edge = Edge("s", "a", "b")
        journal.sessions.set_edge_handler(held, edge, "mine")
        journal.revert(journal.head())
        journal.sessions.set_edge_trace(held, edge, ["price"])
        journal.sessions.set_edge_trace(held, edge, [])
        assert (dict(journal.edges), journal.usage().edges) == ({}, 0)
        journal.sessions.set_edge_handler(held, edge, "mine")
        assert journal.edges["s", "a", "b"].handler == "mine"
        journal.sessions.set_edge_trace(held, Edge("s", "b", "a"), ["price"])
        journal.sessions.close(held)
        assert list(journal.edges) == [("s", "a", "b")]
        journal.sessions.reap()
        counts = journal.archive["s", 1].counts
        assert (counts.edges, counts.edge_handlers, counts.edge_trees) == (1, 1, 0)
        assert journal.replay().differences == {}


def test_a_proof_is_of_the_moment_that_it_is_asked_for(shared_url: str) -> None:
    """Whoever puts meanwhile changes nothing of it."""
    plan = SessionPlan(("a", "b"), {"a": Mu("x", Send("b", {"n": Var("x")}))})
    edge = Edge("s", "a", "b")
    with Journal.open(shared_url) as journal:
        held = journal.sessions.start("s", "alice", plan=plan).capability
        first = Envelope("B", "A", "c", 0, edge=edge, label="n")
        journal.inbox.put("s", first, capability=held)

        def put() -> None:
            for number in range(1, 60):
                journal.inbox.put("s", Envelope("B", "A", "c", number, edge=edge, label="n"), capability=held)

        writer = threading.Thread(target=put)
        writer.start()
        while writer.is_alive():
            then = journal.at(position=journal.head()).edges
            assert is_proven(envelope_digest(first), then.proof(edge, 1), then.root(edge))
            assert journal.edges.proof(edge, 1).index == 0
        writer.join()


def test_edges_without_a_plan_lie_between_any_two_roles(url: str) -> None:
    with Journal.open(url) as journal:
        journal.sessions.open("s", ["a", "b"])
        held = journal.sessions.claim("s", "alice")
        edge = Edge("s", "a", "b")
        assert dict(journal.edges) == {}
        envelope = Envelope("B", "A", "c", 1, edge=edge, label="n")
        journal.inbox.put("s", envelope, capability=held)
        assert list(journal.edges) == [("s", "a", "b")]
        with pytest.raises(UnknownEdge):
            journal.sessions.set_edge_handler(held, Edge("s", "a", "a"), "mine")
        journal.sessions.close(held)
        journal.sessions.reap()
        assert dict(journal.edges) == {}
        assert journal.archive["s", 1].counts.edges == 1
        assert journal.verify().findings == ()


# Proofs


def test_what_was_queued_is_proven(url: str) -> None:
    plan = SessionPlan(("a", "b"), {"a": Mu("x", Send("b", [Branch("n", Var("x"))]))})
    edge = Edge("s", "a", "b")
    with Journal.open(url) as journal:
        held = journal.sessions.start("s", "alice", plan=plan).capability
        envelopes = [Envelope("B", "A", "c", number, edge=edge, label="n") for number in range(7)]
        roots = []
        for envelope in envelopes:
            journal.inbox.put("s", envelope, capability=held)
            journal.inbox.put("s", Envelope("B", "A", "c", "beside"))
            roots.append(journal.edges.root(edge))
        digests = list(map(envelope_digest, envelopes))
        assert roots == [tree_root(digests[: count + 1]) for count in range(7)]
        for index, digest in enumerate(digests):
            proof = journal.edges.proof(edge, 2 * index + 1)
            assert is_proven(digest, proof, roots[-1])
            assert not is_proven(digests[index - 1], proof, roots[-1])
        then = journal.at(position=6).edges
        assert is_proven(digests[0], then.proof(edge, 1), then.root(edge))
        assert then.proof(edge, 1).count == 2
        # What is acknowledged or taken back stays in the tree.
        journal.inbox.take(held)
        journal.inbox.acknowledge(held, 1)
        assert journal.edges.root(edge) == roots[-1]
        with pytest.raises(InvalidArgument, match="of no envelope along the edge"):
            journal.edges.proof(edge, 2)


# Any protocol


@settings(max_examples=drawn(40))
@given(plan=plans(), data=st.data())
def test_any_path_of_a_type_is_walked_and_no_other(plan: SessionPlan, data: st.DataObject) -> None:
    with Journal.open("memory://") as journal:
        held = journal.sessions.start("s", "alice", plan=plan).capability
        for _ in range(data.draw(st.integers(0, 12))):
            rows = {role: row for (_, role), row in journal.types.items()}
            if not any(row.permitted for row in rows.values()):
                break
            role = data.draw(st.sampled_from(sorted(role for role, row in rows.items() if row.permitted)))
            step = data.draw(st.sampled_from(rows[role].permitted))
            for other in (
                step._replace(label="never"),
                step._replace(value_type="never"),
                step._replace(partner=role),
                step._replace(direction=Direction.SEND if step.direction is Direction.RECEIVE else Direction.RECEIVE),
            ):
                if other not in rows[role].permitted:
                    wrong = partial(journal.sessions.advance, held, role, *other)
                    assert refused(journal, TypeViolation, wrong).expected == rows[role].permitted
            journal.sessions.advance(held, role, *step)
        assert journal.verify().findings == ()


def test_a_plan_that_makes_too_large_an_event_is_refused(url: str) -> None:
    with Journal.open(url) as journal:
        many = [f"{number}{'r' * 190}" for number in range(6_000)]
        refused(journal, EventTooLarge, lambda: journal.sessions.open("s", many))
