"""``journal.bundles`` of an ``AsyncJournal``: the same commands, awaited."""

from __future__ import annotations

from ...domain import Surfaces
from .awaited import AsyncCommands, Awaits, awaited, read_in_a_thread
from .base import Checks
from .bundles import BundleCommands, Bundles


class AsyncBundles(AsyncCommands):
    """The commands of ``journal.bundles``, each with the same arguments, answers and errors, to be awaited."""

    def __init__(self, journal: Awaits, blocking: Bundles, surfaces: Surfaces) -> None:
        super().__init__(journal, BundleCommands(Checks(), surfaces), blocking)

    register = awaited(BundleCommands.register)
    register_manifests = awaited(BundleCommands.register_manifests)
    link = awaited(BundleCommands.link)
    seed_members = awaited(BundleCommands.seed_members)
    upgrade = awaited(BundleCommands.upgrade)
    stage_upgrade = awaited(BundleCommands.stage_upgrade)
    admit_upgrade = awaited(BundleCommands.admit_upgrade)
    commit_upgrade = awaited(BundleCommands.commit_upgrade)
    rollback_upgrade = awaited(BundleCommands.rollback_upgrade)
    snapshot = read_in_a_thread(Bundles.snapshot)
