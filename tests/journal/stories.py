"""One session and one bundle through everything that can be undone, for tests of undoing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from muniment.domain import (
    ComposedBundle,
    CompositionManifest,
    Envelope,
    Fragments,
    LinkSpec,
    OwnershipCapability,
    OwnershipReceipt,
    RuntimeUpgradeRequest,
    UpgradePlan,
    UpgradeStep,
)
from muniment.domain.protocol import Branch, Edge, End, Mu, Recv, Send, SessionPlan, Var
from muniment.journal import Journal

MANIFEST = CompositionManifest("p", (LinkSpec("chat"), LinkSpec("vote")))
ANSWERS = {"no": Var("again"), "yes": End()}
PLAN = SessionPlan(
    ("buyer", "seller"),
    {
        "buyer": Mu("again", Send("seller", [Branch("offer", Recv("seller", ANSWERS), "price")])),
        "seller": Mu("again", Recv("buyer", [Branch("offer", Send("buyer", ANSWERS), "price")])),
    },
)
EDGE = Edge("s-1", "buyer", "seller")
OFFER = Envelope("B", "A", "c", b"12", edge=EDGE, label="offer", value_type="price")
CHAT = ComposedBundle("chat", ("p",), frozenset({"say"}))


def upgrade_to(*members: str, upgrade_id: str = "u-1") -> RuntimeUpgradeRequest:
    return RuntimeUpgradeRequest(upgrade_id, UpgradePlan("plan", (UpgradeStep("step", frozenset(members)),)))


def live(journal: Journal) -> OwnershipCapability:
    capability = journal.sessions.state("s-1").capability
    assert capability is not None
    return capability


def pending(journal: Journal) -> OwnershipReceipt:
    receipt = journal.sessions.state("s-1").pending_receipt
    assert receipt is not None
    return receipt


def hand_over(journal: Journal) -> None:
    journal.sessions.hand_over(
        live(journal), "bob", from_authority="A", to_authority="B", bundle_id="chat", upgrade=upgrade_to("y", "z")
    )


Act = Callable[[Journal], Any]


def open_session(journal: Journal) -> Any:
    return journal.sessions.open("s-1", roles=["worker"])


def open_with_plan(journal: Journal) -> Any:
    return journal.sessions.open("s-1", plan=PLAN)


def put_along(journal: Journal) -> Any:
    return journal.inbox.put("s-1", OFFER, capability=live(journal))


def claim(journal: Journal) -> Any:
    return journal.sessions.claim("s-1", "alice")


def claim_in_part(journal: Journal) -> Any:
    return journal.sessions.claim("s-1", "alice", Fragments({"bundle:chat"}))


def release(journal: Journal) -> Any:
    return journal.sessions.release(live(journal))


def delegate(journal: Journal) -> Any:
    return journal.sessions.delegate("s-1", "A", "B")


def host(journal: Journal) -> Any:
    return journal.sessions.host("s-1", "A")


def claim_fragments(journal: Journal) -> Any:
    return journal.sessions.claim_fragments(live(journal), MANIFEST)


def begin_transfer(journal: Journal) -> Any:
    return journal.sessions.begin_transfer(live(journal), "bob", Fragments({"bundle:chat"}))


def register(journal: Journal) -> Any:
    return journal.bundles.register(CHAT)


def seed(journal: Journal) -> Any:
    return journal.bundles.seed_members("chat", ["x", "y"])


def stage(journal: Journal) -> Any:
    return journal.bundles.stage_upgrade("chat", upgrade_to("y", "z"))


def admit(journal: Journal) -> Any:
    return journal.bundles.admit_upgrade("chat", "u-1")


def put(journal: Journal) -> Any:
    return journal.inbox.put("s-1", Envelope("B", "A", "c", b"hello", name="greeting"))


def take(journal: Journal) -> Any:
    return journal.inbox.take(live(journal))


# What is done, what has to be there before, and the stream whose last event it is.
UNDOABLE: dict[str, tuple[Act, tuple[Act, ...], str]] = {
    "session.opened": (open_session, (), "session-s-1"),
    "session.opened, again": (
        open_session,
        (open_session, host, claim, lambda journal: journal.sessions.close(live(journal))),
        "session-s-1",
    ),
    "session.ownership_claimed": (claim, (open_session,), "session-s-1"),
    "session.ownership_released": (
        lambda journal: journal.sessions.release(live(journal)),
        (open_session, claim, claim_fragments),
        "session-s-1",
    ),
    "session.ownership_transferred": (
        lambda journal: journal.sessions.transfer(live(journal), "bob", Fragments({"bundle:chat"})),
        (open_session, claim, claim_fragments),
        "session-s-1",
    ),
    "session.scope_attenuated": (
        lambda journal: journal.sessions.attenuate(live(journal), Fragments({"bundle:chat"})),
        (open_session, claim),
        "session-s-1",
    ),
    "session.transfer_begun": (begin_transfer, (open_session, claim), "session-s-1"),
    "session.transfer_rolled_back": (
        lambda journal: journal.sessions.rollback_transfer(pending(journal)),
        (open_session, claim, begin_transfer),
        "session-s-1",
    ),
    "session.transfer_committed": (
        lambda journal: journal.sessions.commit_transfer(pending(journal)),
        (open_session, claim, claim_fragments, begin_transfer),
        "session-s-1",
    ),
    "session.witness_issued": (
        lambda journal: journal.sessions.issue_witness(live(journal), "ready"),
        (open_session, claim),
        "session-s-1",
    ),
    "session.hosted": (host, (open_session,), "session-s-1"),
    "session.delegated": (
        lambda journal: journal.sessions.delegate("s-1", "B", "C"),
        (open_session, host, lambda journal: journal.sessions.delegate("s-1", "A", "B")),
        "session-s-1",
    ),
    "session.delegated, with an upgrade and fragments": (
        lambda journal: journal.sessions.delegate("s-1", "A", "B", "chat", upgrade=upgrade_to("y", "z")),
        (register, seed, open_session, host, claim, claim_fragments, release),
        "session-s-1",
    ),
    "session.ownership_claimed, with what was left to it": (
        lambda journal: journal.sessions.claim("s-1", "bob", Fragments({"bundle:chat"})),
        (open_session, host, claim, claim_fragments, release, delegate),
        "session-s-1",
    ),
    "session.ownership_claimed, within what was released": (
        lambda journal: journal.sessions.claim("s-1", "bob", Fragments(())),
        (open_session, claim_in_part, release),
        "session-s-1",
    ),
    "session.ownership_released, in part": (release, (open_session, claim_in_part), "session-s-1"),
    "session.hosted, which lifts a bound": (host, (open_session, claim_in_part, release), "session-s-1"),
    "session.handed_over": (hand_over, (register, seed, open_session, host, claim, claim_fragments), "session-s-1"),
    "session.drained": (
        lambda journal: journal.sessions.drain(live(journal)),
        (open_session, claim),
        "session-s-1",
    ),
    "session.terms_changed": (
        lambda journal: journal.sessions.set_timeout("s-1", 1_000),
        (open_session, lambda journal: journal.sessions.set_protocol("s-1", "p")),
        "session-s-1",
    ),
    "inbox.envelope_put": (put, (open_session,), "inbox-s-1"),
    "inbox.envelope_put, along an edge": (put_along, (open_with_plan, claim), "inbox-s-1"),
    "session.opened, with a plan": (
        open_with_plan,
        (open_session, lambda journal: journal.sessions.end("s-1", reason="over")),
        "session-s-1",
    ),
    "session.type_advanced": (
        lambda journal: journal.sessions.advance(live(journal), "seller", "receive", "buyer", "offer", "price"),
        (open_with_plan, claim, put_along),
        "inbox-s-1",
    ),
    "session.handler_set": (
        lambda journal: journal.sessions.set_default_handler(live(journal), "other"),
        (open_session, claim, lambda journal: journal.sessions.set_default_handler(live(journal), "mine")),
        "session-s-1",
    ),
    "session.handler_set, of an edge": (
        lambda journal: journal.sessions.set_edge_handler(live(journal), EDGE, "mine"),
        (open_with_plan, claim),
        "session-s-1",
    ),
    "session.trace_set": (
        lambda journal: journal.sessions.set_edge_trace(live(journal), EDGE, ["price"]),
        (open_with_plan, claim),
        "session-s-1",
    ),
    "inbox.envelope_taken": (
        lambda journal: journal.inbox.take(live(journal)),
        (open_session, claim, put),
        "inbox-s-1",
    ),
    "session.fragments_claimed": (claim_fragments, (open_session, claim), "session-s-1"),
    "session.fragments_moved": (
        lambda journal: journal.sessions.move_fragments(live(journal), ["bundle:chat"], "bob"),
        (open_session, claim, claim_fragments),
        "session-s-1",
    ),
    "session.fragments_released": (
        lambda journal: journal.sessions.release_fragments(live(journal), ["bundle:chat"]),
        (open_session, claim, claim_fragments),
        "session-s-1",
    ),
    "bundle.registered": (register, (), "bundle-chat"),
    "bundle.linked": (
        lambda journal: journal.bundles.link("chat", "vote", "both"),
        (register, lambda journal: journal.bundles.register(replace(CHAT, bundle_id="vote"))),
        "bundle-both",
    ),
    "bundle.members_seeded": (seed, (register,), "bundle-chat"),
    "bundle.members_seeded, again": (
        lambda journal: journal.bundles.seed_members("chat", ["z"]),
        (register, seed),
        "bundle-chat",
    ),
    "bundle.upgrade_staged": (stage, (register, seed), "bundle-chat"),
    "bundle.upgrade_admitted": (admit, (register, seed, stage), "bundle-chat"),
    "bundle.upgrade_committed": (
        lambda journal: journal.bundles.commit_upgrade("chat", "u-1"),
        (register, seed, stage, admit),
        "bundle-chat",
    ),
    "bundle.upgrade_rolled_back": (
        lambda journal: journal.bundles.rollback_upgrade("chat", "u-1", "no time"),
        (register, seed, stage, admit),
        "bundle-chat",
    ),
}
