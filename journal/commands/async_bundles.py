"""``journal.bundles`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ...domain import (
    ComposedBundle,
    CompositionManifest,
    RuntimeUpgradeArtifact,
    RuntimeUpgradeRequest,
    Surfaces,
    bundle,
)
from .async_commands import AsyncCommands, Checks
from .bundles import BundleCommands, bundles_to_register


class AsyncBundles(AsyncCommands):
    """The commands of ``journal.bundles``, each with the same arguments, answers and errors, to be awaited."""

    def __init__(self, execute: Callable[..., Awaitable[Any]], surfaces: Surfaces) -> None:
        super().__init__(execute)
        self._checked = BundleCommands(Checks(), surfaces)

    async def register(self, composed: ComposedBundle) -> None:
        """See ``BundleCommands.register``."""
        return await self.give(self._checked.register, composed)

    async def register_manifests(self, *manifests: CompositionManifest) -> tuple[ComposedBundle, ...]:
        """See ``BundleCommands.register_manifests``."""
        streams, made = bundles_to_register(manifests)
        await self._execute(streams, bundle.register_all, made)
        return made

    async def link(self, left: str, right: str, linked: str) -> ComposedBundle:
        """See ``BundleCommands.link``."""
        return await self.give(self._checked.link, left, right, linked)

    async def seed_members(self, bundle_id: str, members: Iterable[str]) -> None:
        """See ``BundleCommands.seed_members``."""
        return await self.give(self._checked.seed_members, bundle_id, members)

    async def upgrade(self, bundle_id: str, request: RuntimeUpgradeRequest) -> RuntimeUpgradeArtifact:
        """See ``BundleCommands.upgrade``."""
        return await self.give(self._checked.upgrade, bundle_id, request)

    async def stage_upgrade(self, bundle_id: str, request: RuntimeUpgradeRequest) -> RuntimeUpgradeArtifact:
        """See ``BundleCommands.stage_upgrade``."""
        return await self.give(self._checked.stage_upgrade, bundle_id, request)

    async def admit_upgrade(self, bundle_id: str, upgrade_id: str) -> RuntimeUpgradeArtifact:
        """See ``BundleCommands.admit_upgrade``."""
        return await self.give(self._checked.admit_upgrade, bundle_id, upgrade_id)

    async def commit_upgrade(self, bundle_id: str, upgrade_id: str) -> RuntimeUpgradeArtifact:
        """See ``BundleCommands.commit_upgrade``."""
        return await self.give(self._checked.commit_upgrade, bundle_id, upgrade_id)

    async def rollback_upgrade(self, bundle_id: str, upgrade_id: str, reason: str) -> RuntimeUpgradeArtifact:
        """See ``BundleCommands.rollback_upgrade``."""
        return await self.give(self._checked.rollback_upgrade, bundle_id, upgrade_id, reason)
