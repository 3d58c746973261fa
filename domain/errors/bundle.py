"""What refuses a command on bundles and their upgrades."""

from __future__ import annotations

from dataclasses import dataclass

from .base import CommandRefused


@dataclass(eq=False)
class MissingSurface(CommandRefused):
    """The runtime lacks what the operation depends on (aura 2.22).

    Attributes:
        operation: what was asked for.
        missing: the names of the surfaces that are missing.
    """

    operation: str
    missing: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.operation} needs the runtime surfaces that are missing here: {', '.join(self.missing)}"


@dataclass(eq=False)
class BundleNotFound(CommandRefused):
    """No bundle is registered under this id (aura 2.24, 2.28)."""

    bundle_id: str

    def __str__(self) -> str:
        return f"no bundle {self.bundle_id!r} is registered; {self.advice}"

    @property
    def advice(self) -> str:
        return "register it first"


@dataclass(eq=False)
class DuplicateBundle(CommandRefused):
    """A bundle is registered under this id already (aura 2.23)."""

    bundle_id: str

    def __str__(self) -> str:
        return f"a bundle {self.bundle_id!r} is registered already; choose another id"


@dataclass(eq=False)
class IncompatibleInterfaces(CommandRefused):
    """One of two bundles imports what neither exports (aura 2.24).

    Attributes:
        unmet: the imports that neither exports, sorted.
    """

    left: str
    right: str
    unmet: tuple[str, ...]

    def __str__(self) -> str:
        return f"bundles {self.left!r} and {self.right!r} cannot be linked: neither exports {', '.join(self.unmet)}"


@dataclass(eq=False)
class OverlappingSessions(CommandRefused):
    """Two bundles have sessions in common (aura 2.24).

    Attributes:
        sessions: the sessions that both have, sorted.
    """

    left: str
    right: str
    sessions: tuple[str, ...]

    def __str__(self) -> str:
        return f"bundles {self.left!r} and {self.right!r} cannot be linked: both have {', '.join(self.sessions)}"


@dataclass(eq=False)
class MembersNotSeeded(CommandRefused):
    """The bundle has no members yet, so there is nothing to upgrade from (aura 2.30)."""

    bundle_id: str

    def __str__(self) -> str:
        return f"bundle {self.bundle_id!r} has no members; seed them first"


@dataclass(eq=False)
class UpgradePending(CommandRefused):
    """An upgrade of the bundle is under way; there is one at a time."""

    bundle_id: str
    upgrade_id: str

    def __str__(self) -> str:
        return f"bundle {self.bundle_id!r}: upgrade {self.upgrade_id!r} is under way; commit it or roll it back first"


@dataclass(eq=False)
class UpgradeNotPending(CommandRefused):
    """No such upgrade is under way, or not in the phase that the command needs (aura 1.8).

    Attributes:
        phase: the phase that it is in; None if it is not under way.
        needed: the phase that the command needs.
    """

    bundle_id: str
    upgrade_id: str
    phase: str | None
    needed: str

    def __str__(self) -> str:
        found = f"is {self.phase}" if self.phase else "is not under way"
        upgrade = f"bundle {self.bundle_id!r}: upgrade {self.upgrade_id!r}"
        return f"{upgrade} {found}; the command needs one that is {self.needed}"


@dataclass(eq=False)
class UpgradeExists(CommandRefused):
    """An upgrade id that the bundle used before, whatever became of it."""

    bundle_id: str
    upgrade_id: str

    def __str__(self) -> str:
        return f"bundle {self.bundle_id!r} had an upgrade {self.upgrade_id!r} before; choose another id"


@dataclass(eq=False)
class UpgradeRejected(CommandRefused):
    """The upgrade breaks a rule, and has failed (aura 2.30; telltale 7.4).

    Attributes:
        rule: the rule's letter, ``a`` to ``h``.
        reason: what is wrong.
    """

    bundle_id: str
    upgrade_id: str
    rule: str
    reason: str

    def __str__(self) -> str:
        return f"bundle {self.bundle_id!r}: upgrade {self.upgrade_id!r} is rejected by rule {self.rule}: {self.reason}"
