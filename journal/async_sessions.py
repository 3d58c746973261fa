"""``journal.sessions`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

from ..domain import (
    FULL_SESSION,
    CancellationWitness,
    OwnershipCapability,
    OwnershipReceipt,
    OwnershipScope,
    Policy,
    ReadinessWitness,
)
from .sessions import Sessions

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class _Call(NamedTuple):
    """A command that was checked, and is to be carried out."""

    stream: str
    command: Callable[..., Any]
    arguments: tuple[object, ...]


class _Checks:
    """Stands where ``Sessions`` expects a journal, and only notes what is to be carried out."""

    def execute(self, stream: str, command: Callable[..., Any], *arguments: object) -> Any:
        return _Call(stream, command, arguments)

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        raise NotImplementedError(f"{stream}: states are read by the journal")


class AsyncSessions:
    """The commands of ``Sessions``, each with the same arguments, answers and errors, to be awaited."""

    def __init__(self, execute: Callable[..., Awaitable[Any]], policy: Policy) -> None:
        self._execute = execute
        self._checked = Sessions(_Checks(), policy)

    async def open(self, session_id: str, roles: Iterable[str] = ()) -> None:
        """See ``Sessions.open``."""
        return await self._give(self._checked.open, session_id, roles)

    async def claim(self, session_id: str, owner: str, scope: OwnershipScope = FULL_SESSION) -> OwnershipCapability:
        """See ``Sessions.claim``."""
        return await self._give(self._checked.claim, session_id, owner, scope)

    async def release(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.release``."""
        return await self._give(self._checked.release, capability)

    async def transfer(
        self, capability: OwnershipCapability, to_owner: str, scope: OwnershipScope | None = None
    ) -> OwnershipCapability:
        """See ``Sessions.transfer``."""
        return await self._give(self._checked.transfer, capability, to_owner, scope)

    async def begin_transfer(
        self, capability: OwnershipCapability, to_owner: str, scope: OwnershipScope | None = None
    ) -> OwnershipReceipt:
        """See ``Sessions.begin_transfer``."""
        return await self._give(self._checked.begin_transfer, capability, to_owner, scope)

    async def commit_transfer(self, receipt: OwnershipReceipt) -> OwnershipCapability:
        """See ``Sessions.commit_transfer``."""
        return await self._give(self._checked.commit_transfer, receipt)

    async def rollback_transfer(self, receipt: OwnershipReceipt) -> None:
        """See ``Sessions.rollback_transfer``."""
        return await self._give(self._checked.rollback_transfer, receipt)

    async def abandon_transfer(self, receipt: OwnershipReceipt) -> CancellationWitness:
        """See ``Sessions.abandon_transfer``."""
        return await self._give(self._checked.abandon_transfer, receipt)

    async def fail_transfer_commit(self, receipt: OwnershipReceipt, reason: str) -> None:
        """See ``Sessions.fail_transfer_commit``."""
        return await self._give(self._checked.fail_transfer_commit, receipt, reason)

    async def attenuate(self, capability: OwnershipCapability, scope: OwnershipScope) -> OwnershipCapability:
        """See ``Sessions.attenuate``."""
        return await self._give(self._checked.attenuate, capability, scope)

    async def check(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.check``."""
        return await self._give(self._checked.check, capability)

    async def issue_witness(self, capability: OwnershipCapability, predicate: str) -> ReadinessWitness:
        """See ``Sessions.issue_witness``."""
        return await self._give(self._checked.issue_witness, capability, predicate)

    async def consume_witness(self, capability: OwnershipCapability, witness: ReadinessWitness) -> None:
        """See ``Sessions.consume_witness``."""
        return await self._give(self._checked.consume_witness, capability, witness)

    async def owner_died(self, session_id: str, owner: str) -> CancellationWitness:
        """See ``Sessions.owner_died``."""
        return await self._give(self._checked.owner_died, session_id, owner)

    async def close(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.close``."""
        return await self._give(self._checked.close, capability)

    async def _give(self, check: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        # ``Sessions`` returns the call that ``_Checks`` noted, in the place of what the command will answer.
        call = cast(_Call, check(*args, **kwargs))
        return cast(ResultT, await self._execute(call.stream, call.command, *call.arguments))
