"""``journal.sessions`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ...domain import (
    FULL_SESSION,
    CancellationWitness,
    CompositionManifest,
    DelegationOutcome,
    LinkBoundary,
    OwnershipCapability,
    OwnershipReceipt,
    OwnershipScope,
    Policy,
    ReadinessWitness,
    RuntimeUpgradeRequest,
    SessionFragment,
    Surfaces,
)
from .async_commands import AsyncCommands, Checks
from .sessions import Sessions


class AsyncSessions(AsyncCommands):
    """The commands of ``Sessions``, each with the same arguments, answers and errors, to be awaited."""

    def __init__(self, execute: Callable[..., Awaitable[Any]], policy: Policy, surfaces: Surfaces) -> None:
        super().__init__(execute)
        self._checked = Sessions(Checks(), policy, surfaces)

    async def open(self, session_id: str, roles: Iterable[str] = ()) -> None:
        """See ``Sessions.open``."""
        return await self.give(self._checked.open, session_id, roles)

    async def claim(self, session_id: str, owner: str, scope: OwnershipScope = FULL_SESSION) -> OwnershipCapability:
        """See ``Sessions.claim``."""
        return await self.give(self._checked.claim, session_id, owner, scope)

    async def release(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.release``."""
        return await self.give(self._checked.release, capability)

    async def transfer(
        self, capability: OwnershipCapability, to_owner: str, scope: OwnershipScope | None = None
    ) -> OwnershipCapability:
        """See ``Sessions.transfer``."""
        return await self.give(self._checked.transfer, capability, to_owner, scope)

    async def begin_transfer(
        self, capability: OwnershipCapability, to_owner: str, scope: OwnershipScope | None = None
    ) -> OwnershipReceipt:
        """See ``Sessions.begin_transfer``."""
        return await self.give(self._checked.begin_transfer, capability, to_owner, scope)

    async def commit_transfer(self, receipt: OwnershipReceipt) -> OwnershipCapability:
        """See ``Sessions.commit_transfer``."""
        return await self.give(self._checked.commit_transfer, receipt)

    async def rollback_transfer(self, receipt: OwnershipReceipt) -> None:
        """See ``Sessions.rollback_transfer``."""
        return await self.give(self._checked.rollback_transfer, receipt)

    async def abandon_transfer(self, receipt: OwnershipReceipt) -> CancellationWitness:
        """See ``Sessions.abandon_transfer``."""
        return await self.give(self._checked.abandon_transfer, receipt)

    async def fail_transfer_commit(self, receipt: OwnershipReceipt, reason: str) -> None:
        """See ``Sessions.fail_transfer_commit``."""
        return await self.give(self._checked.fail_transfer_commit, receipt, reason)

    async def attenuate(self, capability: OwnershipCapability, scope: OwnershipScope) -> OwnershipCapability:
        """See ``Sessions.attenuate``."""
        return await self.give(self._checked.attenuate, capability, scope)

    async def check(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.check``."""
        return await self.give(self._checked.check, capability)

    async def issue_witness(self, capability: OwnershipCapability, predicate: str) -> ReadinessWitness:
        """See ``Sessions.issue_witness``."""
        return await self.give(self._checked.issue_witness, capability, predicate)

    async def consume_witness(self, capability: OwnershipCapability, witness: ReadinessWitness) -> None:
        """See ``Sessions.consume_witness``."""
        return await self.give(self._checked.consume_witness, capability, witness)

    async def owner_died(self, session_id: str, owner: str) -> CancellationWitness:
        """See ``Sessions.owner_died``."""
        return await self.give(self._checked.owner_died, session_id, owner)

    async def close(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.close``."""
        return await self.give(self._checked.close, capability)

    async def host(self, session_id: str, authority: str) -> None:
        """See ``Sessions.host``."""
        return await self.give(self._checked.host, session_id, authority)

    async def delegate(
        self,
        session_id: str,
        from_authority: str,
        to_authority: str,
        bundle_id: str | None = None,
        boundary: LinkBoundary | None = None,
        context_id: str | None = None,
    ) -> DelegationOutcome:
        """See ``Sessions.delegate``."""
        delegate = self._checked.delegate
        return await self.give(delegate, session_id, from_authority, to_authority, bundle_id, boundary, context_id)

    async def hand_over(
        self,
        capability: OwnershipCapability,
        to_owner: str,
        *,
        from_authority: str,
        to_authority: str,
        bundle_id: str | None = None,
        boundary: LinkBoundary | None = None,
        context_id: str | None = None,
        upgrade: RuntimeUpgradeRequest | None = None,
    ) -> DelegationOutcome:
        """See ``Sessions.hand_over``."""
        return await self.give(
            self._checked.hand_over,
            capability,
            to_owner,
            from_authority=from_authority,
            to_authority=to_authority,
            bundle_id=bundle_id,
            boundary=boundary,
            context_id=context_id,
            upgrade=upgrade,
        )

    async def claim_fragments(
        self, capability: OwnershipCapability, manifest: CompositionManifest
    ) -> tuple[SessionFragment, ...]:
        """See ``Sessions.claim_fragments``."""
        return await self.give(self._checked.claim_fragments, capability, manifest)

    async def move_fragments(
        self, capability: OwnershipCapability, fragment_keys: Iterable[str], to_owner: str
    ) -> tuple[SessionFragment, ...]:
        """See ``Sessions.move_fragments``."""
        return await self.give(self._checked.move_fragments, capability, fragment_keys, to_owner)

    async def release_fragments(
        self, capability: OwnershipCapability, fragment_keys: Iterable[str]
    ) -> tuple[SessionFragment, ...]:
        """See ``Sessions.release_fragments``."""
        return await self.give(self._checked.release_fragments, capability, fragment_keys)

    async def check_boundary(self, capability: OwnershipCapability, boundary: LinkBoundary) -> None:
        """See ``Sessions.check_boundary``."""
        return await self.give(self._checked.check_boundary, capability, boundary)
