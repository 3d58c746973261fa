"""What a session must answer, said again in the plainest way: a model that shares no code with what it is compared to.

It knows commands, guards and undo by the rules as they are written down. Scopes are ``None`` for the full session, or
sets of fragments; capabilities, receipts and witnesses are tuples. Every event is an entry, with what it wrote, what it
relied on, and a copy of how things stood before it; undoing asks nothing but these.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

Scope = frozenset[str] | None
FRAGMENTS: Final = ("bundle:chat", "bundle:vote")


class Capability(NamedTuple):
    owner: str
    generation: int
    scope: Scope


class Receipt(NamedTuple):
    claim: int
    from_owner: str
    from_generation: int
    to_owner: str
    to_generation: int
    scope: Scope


class Witness(NamedTuple):
    number: int
    owner: str
    generation: int
    predicate: str


class Refused(Exception):
    """The model refuses, with the name of the error that the journal must raise."""

    def __init__(self, name: str, later: int | None = None, stays: bool = False) -> None:
        super().__init__(name)
        self.name = name
        self.later = later
        self.stays = stays


@dataclass
class Standing:
    """How a session stands."""

    status: str = "unopened"
    live: Capability | None = None
    staged: Receipt | None = None
    outstanding: dict[int, Witness] = field(default_factory=dict)
    footprint: dict[str, str] = field(default_factory=dict)
    fragments: dict[str, str] = field(default_factory=dict)
    # Those that a delegation left to the next claim, and how far that may reach.
    left: set[str] = field(default_factory=set)
    claimable: Scope = None
    last_owner: str | None = None

    @property
    def holder(self) -> str | None:
        return next((name for name, held in self.footprint.items() if held != "delegated_out"), None)


@dataclass(eq=False)
class Entry:
    """One event."""

    version: int
    kind: str
    before: Standing
    writes: set[str]
    relies: set[str]
    data: Any
    chain: list[Entry] = field(default_factory=list)

    @property
    def is_undone(self) -> bool:
        return (len(self.chain) - self.chain.index(self)) % 2 == 0


WRITES: Final[dict[str, set[str]]] = {
    "open": {"life", "place"},
    "unopen": {"life", "place"},
    "host": {"place"},
    "unhost": {"place"},
    "delegate": {"place"},
    "undelegate": {"place"},
    "hand_over": {"place", "owner"},
    "take_back": {"place", "owner"},
    "end": {"life", "owner", "place"},
    **{kind: {"owner"} for kind in ("claim", "release", "transfer", "attenuate", "commit", "restore")},
    **{kind: {"owner"} for kind in ("begin", "unbegin")},
    **{kind: set() for kind in ("issue", "unissue", "consume", "fragments", "refused", "archive")},
}
RELIES: Final[dict[str, set[str]]] = {
    **{kind: {"life"} for kind in WRITES},
    **{kind: {"life", "owner"} for kind in ("issue", "unissue", "consume", "fragments", "delegate", "undelegate")},
    **{kind: {"life", "bound"} for kind in ("claim", "restore")},
    **{kind: set() for kind in ("open", "unopen", "end", "refused", "archive")},
}
FINAL: Final = ("consume", "end", "refused", "archive")
RECORDS: Final = ("refused", "archive")


class SessionModel:
    """One session as it must be."""

    def __init__(self) -> None:
        self.now = Standing()
        self.entries: list[Entry] = []
        self.generation = 0
        self.claims = 0
        self.witnesses = 0
        self.issued: dict[int, Witness] = {}
        self.spent: set[int] = set()
        # The delegations of this incarnation that hold: their parties, and whether the owner went along.
        self.delegations: dict[int, tuple[str, str, bool]] = {}
        self.numbered = 0
        self.refusals: set[tuple[Any, str]] = set()
        # Whether the finished incarnation, and the one before this, are put away.
        self.is_archived = self.was_archived = False

    # What happens

    def happens(self, kind: str, data: Any = None, also: Iterable[str] = (), undoes: Entry | None = None) -> None:
        """Put an entry down; what it does to how things stand is for the caller."""
        writes = WRITES[kind] | set(also)
        entry = Entry(len(self.entries) + 1, kind, copy.deepcopy(self.now), writes, set(RELIES[kind]), data)
        entry.chain = undoes.chain if undoes is not None else []
        entry.chain.append(entry)
        self.entries.append(entry)
        if kind != "refused":
            self.refusals.clear()

    def refuse(self, shown: Any, why: str, name: str) -> Refused:
        """Refuse on the record, unless the same was refused since anything else happened."""
        if (shown, why) not in self.refusals:
            self.happens("refused")
            self.refusals.add((shown, why))
        return Refused(name)

    def voided(self) -> list[str]:
        return [f"witness {number}" for number in self.now.outstanding]

    def end_ownership(self) -> None:
        self.now.live = self.now.staged = None
        self.now.outstanding = {}

    def give(self, owner: str, scope: Scope) -> Capability:
        self.end_ownership()
        self.generation += 1
        self.now.live = Capability(owner, self.generation, scope)
        self.now.claimable, self.now.last_owner = scope, owner
        return self.now.live

    # What commands ask

    def active(self) -> None:
        if self.now.status == "unopened":
            raise Refused("SessionNotFound")
        if self.now.status != "active":
            raise Refused("SessionTerminal")

    def shown(self, capability: Capability) -> None:
        self.active()
        if self.now.live is None:
            raise self.refuse(capability, "unclaimed", "Unclaimed")
        if capability != self.now.live:
            raise self.refuse(capability, "stale", "StaleCapability")

    def unstaged(self) -> None:
        if self.now.staged is not None:
            raise Refused("TransferPending")

    @staticmethod
    def within(scope: Scope, wider: Scope) -> None:
        if wider is not None and (scope is None or not scope <= wider):
            raise Refused("ScopeViolation")

    def staged(self, receipt: Receipt) -> None:
        if self.now.staged is None:
            raise self.refuse(receipt, "not pending", "TransferNotPending")
        if receipt != self.now.staged:
            raise self.refuse(receipt, "mismatch", "ReceiptMismatch")

    # The commands

    def open(self) -> None:
        if self.now.status == "active":
            raise Refused("SessionAlreadyOpen")
        if self.now.status != "unopened" and not self.is_archived:
            self.happens("archive")
        self.was_archived, self.is_archived = self.now.status != "unopened", False
        self.happens("open")
        self.begin_anew()

    def begin_anew(self) -> None:
        self.now.status, self.now.footprint, self.delegations = "active", {}, {}
        self.now.claimable = self.now.last_owner = None

    def host(self, authority: str) -> None:
        self.active()
        if self.now.footprint.get(authority) == "native":
            return
        if self.now.holder is not None:
            raise Refused("AlreadyHosted")
        self.host_it(authority)

    def host_it(self, authority: str, undoes: Entry | None = None) -> None:
        lifted = None if self.now.live is not None else self.now.claimable
        self.happens("host", (authority, lifted), () if lifted is None else {"bound"}, undoes)
        self.now.footprint[authority] = "native"
        if self.now.live is None:
            self.now.claimable = None

    def claim(self, owner: str, scope: Scope) -> Capability:
        self.active()
        if self.now.live is not None:
            raise Refused("AlreadyClaimed")
        self.within(scope, self.now.claimable)
        moved = [key for key in self.now.left if scope is None or key in scope]
        self.happens("claim", also=moved)
        self.hold(dict.fromkeys(moved, owner))
        return self.give(owner, scope)

    def hold(self, fragments: dict[str, str], left: Iterable[str] = ()) -> None:
        self.now.fragments |= fragments
        self.now.left = self.now.left - set(fragments) | set(left)

    def release(self, capability: Capability) -> None:
        self.shown(capability)
        self.unstaged()
        self.happens("release", also=self.voided())
        self.end_ownership()

    def moved(self, owner: str, scope: Scope) -> list[str]:
        """The fragments that go along to a new owner: those of the old one that the new scope reaches over."""
        assert self.now.live is not None
        if self.now.live.owner == owner:
            return []
        return [
            key
            for key, held_by in self.now.fragments.items()
            if held_by == self.now.live.owner and key not in self.now.left and (scope is None or key in scope)
        ]

    def pass_on(self, kind: str, owner: str, scope: Scope, data: Any = None) -> Capability:
        moved = self.moved(owner, scope)
        self.happens(kind, data, also=[*self.voided(), *moved])
        self.hold(dict.fromkeys(moved, owner))
        return self.give(owner, scope)

    def transfer(self, capability: Capability, owner: str, scope: Scope) -> Capability:
        self.shown(capability)
        self.unstaged()
        self.within(scope, capability.scope)
        return self.pass_on("transfer", owner, scope)

    def attenuate(self, capability: Capability, scope: Scope) -> Capability:
        self.shown(capability)
        self.unstaged()
        self.within(scope, capability.scope)
        return self.pass_on("attenuate", capability.owner, scope)

    def begin(self, capability: Capability, owner: str, scope: Scope) -> Receipt:
        self.shown(capability)
        self.unstaged()
        self.within(scope, capability.scope)
        self.happens("begin")
        return self.stage(capability.owner, self.generation, owner, scope)

    def stage(self, from_owner: str, generation: int, to_owner: str, scope: Scope) -> Receipt:
        self.claims += 1
        self.now.staged = Receipt(self.claims, from_owner, generation, to_owner, generation + 1, scope)
        return self.now.staged

    def commit(self, receipt: Receipt) -> Capability:
        self.active()
        if self.now.live is None:
            raise self.refuse(receipt, "not pending", "Unclaimed")
        self.staged(receipt)
        return self.pass_on("commit", receipt.to_owner, receipt.scope)

    def roll_back(self, receipt: Receipt) -> None:
        self.active()
        self.staged(receipt)
        self.happens("unbegin", receipt)
        self.now.staged = None

    def finish(self, status: str) -> None:
        self.happens("end", also=[*self.voided(), *self.now.fragments])
        self.end_ownership()
        self.now.fragments, self.now.left, self.now.claimable = {}, set(), None
        self.now.footprint = {}
        self.now.status = status

    def abandon(self, receipt: Receipt) -> None:
        self.active()
        self.staged(receipt)
        self.finish("cancelled")
        self.witnesses += 1

    def fail(self, receipt: Receipt) -> None:
        self.active()
        self.staged(receipt)
        self.finish("faulted")

    def died(self, owner: str) -> None:
        self.active()
        if self.now.live is None:
            raise Refused("Unclaimed")
        if self.now.live.owner != owner:
            raise Refused("StaleCapability")
        self.finish("faulted")
        self.witnesses += 1

    def close(self, capability: Capability) -> None:
        self.shown(capability)
        self.within(None, capability.scope)
        self.unstaged()
        self.finish("closed")

    def issue(self, capability: Capability, predicate: str) -> Witness:
        self.shown(capability)
        self.within(None, capability.scope)
        return self.issue_for(capability, predicate)

    def issue_for(self, capability: Capability, predicate: str, undoes: Entry | None = None) -> Witness:
        self.witnesses += 1
        witness = Witness(self.witnesses, capability.owner, capability.generation, predicate)
        self.happens("issue", witness, [f"witness {witness.number}"], undoes)
        self.issued[witness.number] = self.now.outstanding[witness.number] = witness
        return witness

    def consume(self, capability: Capability, witness: Witness) -> None:
        self.shown(capability)
        self.within(None, capability.scope)
        if witness.number in self.spent:
            raise self.refuse(witness, "spent", "WitnessConsumed")
        if witness.number not in self.now.outstanding:
            raise self.refuse(witness, "void", "InvalidWitness")
        self.happens("consume", also=[f"witness {witness.number}"])
        del self.now.outstanding[witness.number]
        self.spent.add(witness.number)

    def held(self, giver: str, taker: str) -> None:
        if self.now.holder is None:
            raise Refused("NotActiveHolder")
        if self.now.holder != giver:
            raise self.refuse((giver, taker), "not the holder", "NotActiveHolder")

    def move_to(self, giver: str, taker: str, *, with_owner: bool) -> None:
        cleared = [name for name in self.now.footprint if name not in (giver, taker)]
        if self.now.footprint[giver] == "delegated_in":
            for name in cleared:
                del self.now.footprint[name]
        self.now.footprint |= {giver: "delegated_out", taker: "delegated_in"}
        self.numbered += 1
        self.delegations[self.numbered] = (giver, taker, with_owner)

    def delegate(self, giver: str, taker: str) -> None:
        if giver == taker:
            raise Refused("SelfDelegation")
        self.active()
        if self.delegations and list(self.delegations.values())[-1] == (giver, taker, False):
            return
        self.held(giver, taker)
        if self.now.live is not None:
            raise Refused("HandOverRequired")
        moved = [
            key for key, owner in self.now.fragments.items() if key in self.now.left or owner == self.now.last_owner
        ]
        self.happens("delegate", (giver, taker, self.numbered + 1), moved)
        self.now.left |= set(moved)
        self.move_to(giver, taker, with_owner=False)

    def hand_over(self, capability: Capability, owner: str, giver: str, taker: str) -> Capability:
        if giver == taker:
            raise Refused("SelfDelegation")
        self.active()
        self.held(giver, taker)
        self.shown(capability)
        self.unstaged()
        self.claims += 1
        handed = self.pass_on("hand_over", owner, capability.scope, (giver, taker, self.numbered + 1, capability))
        self.move_to(giver, taker, with_owner=True)
        return handed

    def claim_fragments(self, capability: Capability) -> list[str]:
        self.shown(capability)
        self.within(frozenset(FRAGMENTS), capability.scope)
        others = set(self.now.fragments) - self.now.left
        if any(self.now.fragments[key] != capability.owner for key in others):
            raise Refused("FragmentConflict")
        new = [key for key in FRAGMENTS if key not in others]
        if new:
            self.happens("fragments", also=new)
            self.hold(dict.fromkeys(new, capability.owner))
        return new

    def named(self, capability: Capability, key: str) -> None:
        self.shown(capability)
        self.within(frozenset({key}), capability.scope)
        if key not in self.now.fragments:
            raise Refused("FragmentNotHeld")
        if self.now.fragments[key] != capability.owner and capability.scope is not None:
            raise Refused("FragmentConflict")

    def move_fragment(self, capability: Capability, key: str, owner: str) -> None:
        self.named(capability, key)
        if self.now.fragments[key] != owner:
            self.happens("fragments", also=[key])
            self.hold({key: owner})

    def release_fragment(self, capability: Capability, key: str) -> None:
        self.named(capability, key)
        self.happens("fragments", also=[key])
        del self.now.fragments[key]
        self.now.left.discard(key)

    # Undo

    def revert(self, version: int) -> int:
        """Undo one event; return how many events that takes."""
        entry = self.entries[version - 1]
        if not entry.is_undone:
            entry = entry.chain[-1]
        if not self.undo(entry, {entry, self.entries[version - 1]}):
            raise Refused("NotCompensable")
        return 1

    def rollback(self, version: int) -> int:
        """Undo what came after a version, newest first, all or nothing; return how many events that takes."""
        behind = self.entries[version:]
        oldest = {id(entry.chain): entry for entry in reversed(behind)}
        targets = [entry.chain[-1] for entry in oldest.values() if not entry.is_undone and entry.kind not in RECORDS]
        was = copy.deepcopy(self)
        count = 0
        try:
            for target in sorted(targets, key=lambda each: -each.version):
                # What comes to nothing together is in nobody's way, and what undoes it no more.
                count += self.undo(target, {*behind, *targets, *self.entries[len(was.entries) :]})
        except Refused:
            # Copied: CPython 3.13.0 loses what is in it when the other object goes.
            vars(self).update(vars(was))
            raise
        return count

    def undo(self, entry: Entry, together: set[Entry]) -> bool:
        """Undo an event; say whether there was anything left of it."""
        if entry.kind in FINAL:
            raise Refused("NotCompensable")
        if entry.is_undone:
            raise Refused("AlreadyCompensated")
        for later in reversed(self.entries[entry.version :]):
            since = sum(each.version > entry.version for each in later.chain)
            holds = later is later.chain[-1] and since % 2 == 1 and later not in together and not self.is_over(later)
            if holds and ((later.writes | later.relies) & entry.writes or later.writes & entry.relies):
                raise Refused("LaterEventDepends", later.version, later.kind in FINAL)
        if self.is_over(entry):
            return False
        UNDO[entry.kind](self, entry)
        return True

    def is_over(self, entry: Entry) -> bool:
        """Whether what it did has ended by itself."""
        if entry.kind == "issue":
            return entry.data.number not in self.now.outstanding
        return entry.kind == "begin" and self.now.staged is None

    def unopen(self, entry: Entry) -> None:
        self.happens("unopen", undoes=entry)
        self.is_archived = self.was_archived
        self.now.status, self.now.footprint = entry.before.status, dict(entry.before.footprint)
        self.now.claimable, self.now.last_owner = None, entry.before.last_owner

    def reopen(self, entry: Entry) -> None:
        self.happens("open", undoes=entry)
        self.was_archived, self.is_archived = self.is_archived, False
        self.begin_anew()

    def given_back(self, entry: Entry) -> tuple[dict[str, str], set[str]]:
        """The fragments that an event touched, as they were held, and which of them were left to the next claim."""
        fragments = {key: owner for key, owner in entry.before.fragments.items() if key in entry.writes}
        return fragments, entry.before.left & set(fragments)

    def restore(self, entry: Entry) -> None:
        fragments, left = self.given_back(entry)
        self.happens("restore", also=[*self.voided(), *fragments], undoes=entry)
        self.end_ownership()
        self.generation += 1
        self.hold(fragments, left)
        self.now.claimable, self.now.last_owner = entry.before.claimable, entry.before.last_owner
        if entry.before.live is not None:
            self.now.live = entry.before.live._replace(generation=self.generation)
            self.now.claimable, self.now.last_owner = self.now.live.scope, self.now.live.owner
        if entry.before.staged is not None:
            staged = entry.before.staged
            self.stage(staged.from_owner, self.generation, staged.to_owner, staged.scope)

    def unbegin(self, entry: Entry) -> None:
        self.happens("unbegin", self.now.staged, undoes=entry)
        self.now.staged = None

    def begin_again(self, entry: Entry) -> None:
        self.happens("begin", undoes=entry)
        self.stage(entry.data.from_owner, self.generation, entry.data.to_owner, entry.data.scope)

    def unissue(self, entry: Entry) -> None:
        self.happens("unissue", entry.data, [f"witness {entry.data.number}"], entry)
        del self.now.outstanding[entry.data.number]

    def issue_again(self, entry: Entry) -> None:
        assert self.now.live is not None
        self.issue_for(self.now.live, entry.data.predicate, entry)

    def unhost(self, entry: Entry) -> None:
        authority, lifted = entry.data
        self.happens("unhost", entry.data, () if lifted is None else {"bound"}, entry)
        del self.now.footprint[authority]
        if lifted is not None and self.now.live is None:
            self.now.claimable = lifted

    def host_again(self, entry: Entry) -> None:
        self.host_it(entry.data[0], entry)

    def undelegate(self, entry: Entry) -> None:
        fragments, left = self.given_back(entry)
        self.happens("undelegate", entry.data, fragments, entry)
        self.hold(fragments, left)
        self.now.footprint = dict(entry.before.footprint)
        del self.delegations[entry.data[2]]

    def delegate_again(self, entry: Entry) -> None:
        giver, taker, _ = entry.data
        fragments, left = self.given_back(entry)
        self.happens("delegate", (giver, taker, self.numbered + 1), fragments, entry)
        self.hold(fragments, left)
        self.move_to(giver, taker, with_owner=False)

    def take_back(self, entry: Entry) -> None:
        fragments, left = self.given_back(entry)
        self.happens("take_back", entry.data, also=[*self.voided(), *fragments], undoes=entry)
        self.hold(fragments, left)
        self.give(entry.data[3].owner, entry.data[3].scope)
        self.now.footprint = dict(entry.before.footprint)
        del self.delegations[entry.data[2]]

    def hand_over_again(self, entry: Entry) -> None:
        giver, taker, _, _ = entry.data
        fragments, left = self.given_back(entry)
        held = entry.before.live
        assert held is not None
        data = (giver, taker, self.numbered + 1, self.now.live)
        self.happens("hand_over", data, also=[*self.voided(), *fragments], undoes=entry)
        self.claims += 1
        self.hold(fragments, left)
        self.give(held.owner, held.scope)
        self.move_to(giver, taker, with_owner=True)

    def restore_fragments(self, entry: Entry) -> None:
        keys = entry.writes & set(FRAGMENTS)
        self.happens("fragments", also=keys, undoes=entry)
        for key in keys:
            self.now.fragments.pop(key, None)
        self.now.left -= keys
        self.hold(*self.given_back(entry))


UNDO: Final[dict[str, Callable[[SessionModel, Entry], None]]] = {
    "open": SessionModel.unopen,
    "unopen": SessionModel.reopen,
    "begin": SessionModel.unbegin,
    "unbegin": SessionModel.begin_again,
    "issue": SessionModel.unissue,
    "unissue": SessionModel.issue_again,
    "host": SessionModel.unhost,
    "unhost": SessionModel.host_again,
    "delegate": SessionModel.undelegate,
    "undelegate": SessionModel.delegate_again,
    "hand_over": SessionModel.take_back,
    "take_back": SessionModel.hand_over_again,
    "fragments": SessionModel.restore_fragments,
    **dict.fromkeys(
        ("claim", "release", "transfer", "attenuate", "commit", "restore"),
        SessionModel.restore,
    ),
}
