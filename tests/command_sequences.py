"""Any sequence of commands, honest and forged, drawn by hypothesis and given to a real journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st
from muniment.domain import (
    FULL_SESSION,
    Artifact,
    CommandRefused,
    Fragments,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
)
from muniment.journal import Journal

SESSIONS = ("s-0", "s-1")
OWNERS = ("alice", "bob")
SCOPES = (FULL_SESSION, Fragments({"bundle:x"}), Fragments({"bundle:x", "bundle:y"}))
OPS = (
    "open",
    "claim",
    "claim",
    "release",
    "transfer",
    "begin_transfer",
    "begin_transfer",
    "commit_transfer",
    "rollback_transfer",
    "abandon_transfer",
    "fail_transfer_commit",
    "attenuate",
    "check",
    "issue_witness",
    "issue_witness",
    "consume_witness",
    "owner_died",
    "close",
)


@dataclass(frozen=True)
class Command:
    """A command before it is known which artifacts there are to present."""

    op: str
    session: int
    owner: int
    scope: int
    pick: int
    forgery: str | None


_OPENING = [Command(op, session, 0, 0, 0, None) for session in (0, 1) for op in ("open", "claim")]
_COMMANDS = st.lists(
    st.builds(
        Command,
        op=st.sampled_from(OPS),
        session=st.sampled_from([0, 0, 0, 1]),
        owner=st.integers(0, 1),
        scope=st.sampled_from([0, 0, 0, 2, 1]),
        pick=st.sampled_from([0, 0, 0, 1, 2, 5]),
        forgery=st.sampled_from([*[None] * 16, "owner", "generation", "scope", "session"]),
    ),
    min_size=5,
    max_size=50,
)
COMMANDS = _COMMANDS.map(lambda commands: [*_OPENING, *commands])
"""Any commands, after some that give most of them something to work on."""


@dataclass
class Outcome:
    """What became of one command."""

    op: str
    presented: tuple[Artifact, ...]
    result: Any = None
    error: CommandRefused | None = None


@dataclass
class Giver:
    """Gives commands to a journal, presenting what earlier ones answered: often the latest, sometimes an old one."""

    journal: Journal
    artifacts: list[Any] = field(default_factory=list)

    def give_all(self, commands: list[Command]) -> list[Outcome]:
        return [self.give(command) for command in commands]

    def give(self, command: Command) -> Outcome:
        presented = tuple(self._presented(command))
        outcome = Outcome(command.op, presented)
        try:
            outcome.result = self._run(command, presented)
        except CommandRefused as error:
            outcome.error = error
        if outcome.result is not None:
            self.artifacts.append(outcome.result)
        return outcome

    def _presented(self, command: Command) -> Iterator[Any]:
        if command.op in ("open", "claim", "owner_died"):
            return
        if command.op in ("commit_transfer", "rollback_transfer", "abandon_transfer", "fail_transfer_commit"):
            yield self._pick(OwnershipReceipt, command, self._made_up_receipt(command))
            return
        yield self._pick(OwnershipCapability, command, self._made_up_capability(command))
        if command.op == "consume_witness":
            yield self._pick(ReadinessWitness, command, self._made_up_witness(command))

    def _pick(self, kind: type, command: Command, made_up: Any) -> Any:
        known = [each for each in self.artifacts if isinstance(each, kind)][::-1]
        if not known:
            return made_up
        artifact = known[min(command.pick, len(known) - 1)]
        return _forge(artifact, command)

    def _made_up_capability(self, command: Command) -> OwnershipCapability:
        return OwnershipCapability(SESSIONS[command.session], OWNERS[command.owner], 1, SCOPES[command.scope])

    def _made_up_receipt(self, command: Command) -> OwnershipReceipt:
        scope = SCOPES[command.scope]
        return OwnershipReceipt(SESSIONS[command.session], 1, OWNERS[0], 1, OWNERS[command.owner], 2, scope)

    def _made_up_witness(self, command: Command) -> ReadinessWitness:
        return ReadinessWitness(1, SESSIONS[command.session], OWNERS[command.owner], 1, FULL_SESSION, "ready")

    def _run(self, command: Command, presented: tuple[Any, ...]) -> Any:
        sessions: Any = self.journal.sessions
        session_id, owner, scope = SESSIONS[command.session], OWNERS[command.owner], SCOPES[command.scope]
        match command.op:
            case "open":
                return sessions.open(session_id)
            case "claim":
                return sessions.claim(session_id, owner, scope)
            case "owner_died":
                return sessions.owner_died(session_id, owner)
            case "transfer" | "begin_transfer":
                keep = command.pick % 2 == 0
                return getattr(sessions, command.op)(*presented, owner, None if keep else scope)
            case "attenuate":
                return sessions.attenuate(*presented, scope)
            case "issue_witness":
                return sessions.issue_witness(*presented, "ready")
            case "fail_transfer_commit":
                return sessions.fail_transfer_commit(*presented, "it broke")
            case op:
                return getattr(sessions, op)(*presented)


def _forge(artifact: Any, command: Command) -> Any:
    match command.forgery:
        case "owner":
            name = "from_owner" if isinstance(artifact, OwnershipReceipt) else "owner"
            return replace(artifact, **{name: "mallory"})
        case "generation":
            name = "to_generation" if isinstance(artifact, OwnershipReceipt) else "generation"
            return replace(artifact, **{name: getattr(artifact, name) + 1})
        case "scope":
            return replace(artifact, scope=SCOPES[command.scope])
        case "session":
            return replace(artifact, session_id=SESSIONS[command.session])
    return artifact
