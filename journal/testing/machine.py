"""The laws as a stateful machine: commands drawn by Hypothesis, and beside the journal a model that knows the laws.

For example, for a storage engine or for a journal that is opened in a way of one's own::

    class MyMachine(LawsMachine):
        def new_url(self):
            return f"myengine:///{tempfile.mkdtemp()}/journal"


    TestLaws = MyMachine.TestCase
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, rule

from ...domain import (
    FULL_SESSION,
    CommandRefused,
    Fragments,
    OwnershipCapability,
    OwnershipReceipt,
    OwnershipScope,
    ReadinessWitness,
    session_stream,
)
from ...domain.effects import SessionStatus
from ..journal import Journal

_SESSIONS: Final = st.sampled_from(["a", "b"])
_OWNERS: Final = st.sampled_from(["alice", "bob"])
_SCOPES: Final = st.sampled_from(
    [FULL_SESSION, Fragments({"bundle:x", "bundle:y"}), Fragments({"bundle:x"}), Fragments({"bundle:y"})]
)


@dataclass
class _Session:
    """What a session must be like by the laws.

    Attributes:
        is_finished: whether nothing more may happen in it (law 5).
        live: the one capability that is good (law 2).
        pending: the one receipt that is good.
        witnesses: the witnesses that are good, each once (law 4).
        generation: the highest generation that was ever given out (law 1).
        claimable: how far a claim may reach: as far as the last owner did (law 3).
    """

    is_finished: bool = False
    live: OwnershipCapability | None = None
    pending: OwnershipReceipt | None = None
    witnesses: set[ReadinessWitness] = field(default_factory=set)
    generation: int = 0
    claimable: OwnershipScope = FULL_SESSION

    def own(self, capability: OwnershipCapability | None) -> None:
        """Let the ownership be another, which ends all that hung on the one before."""
        self.live, self.pending = capability, None
        self.witnesses.clear()
        if capability is not None:
            assert capability.generation > self.generation, "law 1: a generation is given out once, and rises"
            self.generation = capability.generation
            self.claimable = capability.scope


class LawsMachine(RuleBasedStateMachine):
    """Opens a journal in a new place, and gives it commands, undoing and reopening in between.

    After every step the journal must say what the model says. At the end it must verify, and its tables must be those
    that the events add up to.
    """

    capabilities: Bundle[OwnershipCapability] = Bundle("capabilities")
    receipts: Bundle[OwnershipReceipt] = Bundle("receipts")
    witnesses: Bundle[ReadinessWitness] = Bundle("witnesses")

    def new_url(self) -> str:
        """The URL of an empty place, another one each time. A subclass says which."""
        return "memory://"

    def open(self, url: str) -> Journal:
        """Open the journal. The policy must be the strict one."""
        return Journal.open(url)

    def __init__(self) -> None:
        super().__init__()
        self.url = self.new_url()
        self.journal = self.open(self.url)
        self._sessions: dict[str, _Session] = {}
        self._ended: set[OwnershipCapability | OwnershipReceipt] = set()
        self._head = 0

    def _is_active(self, session_id: str) -> bool:
        return session_id in self._sessions and not self._sessions[session_id].is_finished

    def _is_live(self, capability: OwnershipCapability) -> bool:
        return self._is_active(capability.session_id) and self._sessions[capability.session_id].live == capability

    def _give(self, command: Callable[..., Any], *arguments: Any, is_good: bool) -> Any:
        """Give a command; it must be accepted if it is good, and refused otherwise."""
        if is_good:
            return command(*arguments)
        with pytest.raises(CommandRefused):
            command(*arguments)
        return None

    @rule(session_id=_SESSIONS)
    def open_session(self, session_id: str) -> None:
        """Open a session, or the next incarnation of a finished one."""
        is_good = not self._is_active(session_id)
        self._give(self.journal.sessions.open, session_id, is_good=is_good)
        if is_good:
            session = self._sessions.setdefault(session_id, _Session())
            session.is_finished, session.claimable = False, FULL_SESSION

    @rule(target=capabilities, session_id=_SESSIONS, owner=_OWNERS, scope=_SCOPES)
    def claim(self, session_id: str, owner: str, scope: OwnershipScope) -> Any:
        """Claim a session that nobody owns."""
        is_good = self._is_active(session_id) and self._sessions[session_id].live is None
        is_good = is_good and self._sessions[session_id].claimable.includes(scope)
        given = self._give(self.journal.sessions.claim, session_id, owner, scope, is_good=is_good)
        return self._owned(session_id, given)

    @rule(capability=capabilities)
    def check(self, capability: OwnershipCapability) -> None:
        """Show a capability."""
        self._give(self.journal.sessions.check, capability, is_good=self._is_live(capability))

    @rule(capability=capabilities)
    def release(self, capability: OwnershipCapability) -> None:
        """Give a session up."""
        is_good = self._is_live(capability) and not self._is_staged(capability.session_id)
        self._give(self.journal.sessions.release, capability, is_good=is_good)
        if is_good:
            self._end_artifacts(self._sessions[capability.session_id])
            self._sessions[capability.session_id].own(None)

    @rule(target=capabilities, capability=capabilities, owner=_OWNERS, scope=_SCOPES)
    def transfer(self, capability: OwnershipCapability, owner: str, scope: OwnershipScope) -> Any:
        """Hand a session over, in a scope that reaches no further."""
        is_good = self._may_change(capability) and capability.scope.includes(scope)
        given = self._give(self.journal.sessions.transfer, capability, owner, scope, is_good=is_good)
        return self._owned(capability.session_id, given)

    @rule(target=capabilities, capability=capabilities, scope=_SCOPES)
    def attenuate(self, capability: OwnershipCapability, scope: OwnershipScope) -> Any:
        """Narrow a scope."""
        is_good = self._may_change(capability) and capability.scope.includes(scope)
        given = self._give(self.journal.sessions.attenuate, capability, scope, is_good=is_good)
        return self._owned(capability.session_id, given)

    @rule(target=receipts, capability=capabilities, owner=_OWNERS)
    def begin_transfer(self, capability: OwnershipCapability, owner: str) -> Any:
        """Stage a transfer."""
        is_good = self._may_change(capability)
        given = self._give(self.journal.sessions.begin_transfer, capability, owner, is_good=is_good)
        if given is None:
            return multiple()
        self._sessions[capability.session_id].pending = given
        return given

    @rule(target=capabilities, receipt=receipts)
    def commit_transfer(self, receipt: OwnershipReceipt) -> Any:
        """Carry a staged transfer out."""
        given = self._give(self.journal.sessions.commit_transfer, receipt, is_good=self._is_pending(receipt))
        return self._owned(receipt.session_id, given)

    @rule(receipt=receipts)
    def rollback_transfer(self, receipt: OwnershipReceipt) -> None:
        """Withdraw a staged transfer."""
        is_good = self._is_pending(receipt)
        self._give(self.journal.sessions.rollback_transfer, receipt, is_good=is_good)
        if is_good:
            self._ended.add(receipt)
            self._sessions[receipt.session_id].pending = None

    @rule(target=witnesses, capability=capabilities)
    def issue_witness(self, capability: OwnershipCapability) -> Any:
        """Issue a witness."""
        is_good = self._is_live(capability) and capability.scope == FULL_SESSION
        given = self._give(self.journal.sessions.issue_witness, capability, "ready", is_good=is_good)
        if given is None:
            return multiple()
        self._sessions[capability.session_id].witnesses.add(given)
        return given

    @rule(witness=witnesses)
    def consume_witness(self, witness: ReadinessWitness) -> None:
        """Spend a witness, under the capability that is live."""
        session = self._sessions[witness.session_id]
        if session.live is None:
            return
        is_good = witness in session.witnesses and session.live.scope == FULL_SESSION
        self._give(self.journal.sessions.consume_witness, session.live, witness, is_good=is_good)
        session.witnesses.discard(witness)

    @rule(capability=capabilities)
    def close_session(self, capability: OwnershipCapability) -> None:
        """End a session in good order."""
        is_good = self._may_change(capability) and capability.scope == FULL_SESSION
        self._give(self.journal.sessions.close, capability, is_good=is_good)
        if is_good:
            self._finish(capability.session_id)

    @rule(session_id=_SESSIONS, owner=_OWNERS)
    def owner_died(self, session_id: str, owner: str) -> None:
        """Report that an owner is gone."""
        live = self._sessions[session_id].live if self._is_active(session_id) else None
        is_good = live is not None and live.owner == owner
        self._give(self.journal.sessions.owner_died, session_id, owner, is_good=is_good)
        if is_good:
            self._finish(session_id)

    @rule(pick=st.integers(0, 50))
    def revert(self, pick: int) -> None:
        """Undo an event, if nothing is in the way."""
        if head := self.journal.head():
            self._undo(self.journal.revert, 1 + pick % head)

    @rule(session_id=_SESSIONS, pick=st.integers(0, 50))
    def roll_back(self, session_id: str, pick: int) -> None:
        """Undo all behind a version of a session, if nothing is in the way."""
        records = list(self.journal.read_stream(session_stream(session_id)))
        if records:
            self._undo(self.journal.rollback, session_stream(session_id), 1 + pick % len(records))

    @rule()
    def reopen(self) -> None:
        """Close the journal, and open it again; one in memory is gone then, and is left open."""
        if self.url != "memory://":
            self.journal.close()
            self.journal = self.open(self.url)

    def _undo(self, undo: Callable[..., Any], *arguments: Any) -> None:
        """Undo something; what had ended stays ended, whatever is given back (law 8)."""
        head = self.journal.head()
        try:
            plan = undo(*arguments)
        except CommandRefused:
            assert self.journal.head() == head, "law 8: all is undone, or nothing"
            return
        assert self.journal.head() == head + len(plan.steps), "law 8: undoing appends"
        for session_id in self.journal.owners:
            state = self.journal.sessions.state(session_id)
            session = self._sessions.setdefault(session_id, _Session())
            assert state.generation >= session.generation, "law 1: no generation falls"
            self._end_artifacts(session, but=(state.capability, state.pending_receipt))
            session.live, session.pending = state.capability, state.pending_receipt
            assert not self._ended & {session.live, session.pending}, "law 8: what ended is not live again"
            session.witnesses = set(state.outstanding_witnesses)
            session.generation, session.claimable = state.generation, state.claimable
            # An opening that is undone leaves the incarnation before as it ended.
            session.is_finished = state.status is not SessionStatus.ACTIVE
        self._sessions = {name: each for name, each in self._sessions.items() if name in self.journal.owners}

    @invariant()
    def journal_says_what_the_model_says(self) -> None:
        """The journal only grows, has one owner for each session, and contradicts itself nowhere."""
        head = self.journal.head()
        assert head >= self._head, "a journal only grows"
        assert [record.position for record in self.journal.read(self._head)] == list(range(self._head + 1, head + 1))
        self._head = head
        owners = self.journal.owners
        assert set(owners) == set(self._sessions)
        for session_id, session in self._sessions.items():
            live = self.journal.sessions.state(session_id).capability
            assert live == (None if session.is_finished else session.live), "law 2: one capability is live"
            assert owners[session_id].owner == (None if live is None else live.owner)
        assert self.journal.coherence() == (), "law 7: footprints do not contradict each other"

    def teardown(self) -> None:
        """Verify the journal, rebuild its tables, and close it."""
        try:
            assert self.journal.verify().findings == ()
            assert self.journal.replay().differences == {}, "law 9: the tables are what the events add up to"
        finally:
            self.journal.close()

    def _owned(self, session_id: str, given: OwnershipCapability | None) -> Any:
        if given is None:
            return multiple()
        session = self._sessions[session_id]
        self._end_artifacts(session)
        session.own(given)
        return given

    def _finish(self, session_id: str) -> None:
        session = self._sessions[session_id]
        self._end_artifacts(session)
        session.own(None)
        session.is_finished = True

    def _end_artifacts(self, session: _Session, but: tuple[object, ...] = ()) -> None:
        self._ended.update(each for each in (session.live, session.pending) if each is not None and each not in but)

    def _is_staged(self, session_id: str) -> bool:
        return self._sessions[session_id].pending is not None

    def _may_change(self, capability: OwnershipCapability) -> bool:
        return self._is_live(capability) and not self._is_staged(capability.session_id)

    def _is_pending(self, receipt: OwnershipReceipt) -> bool:
        return self._is_active(receipt.session_id) and self._sessions[receipt.session_id].pending == receipt
