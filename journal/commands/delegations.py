"""The part of ``journal.sessions`` between authorities: hosting, delegating, handing over; and fragments."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from ...domain import (
    CompositionManifest,
    Decision,
    DelegationOutcome,
    InvalidArgument,
    LinkBoundary,
    OwnershipCapability,
    ProvenancedTime,
    RuntimeUpgradeRequest,
    SelfDelegation,
    SessionFragment,
    bundle_stream,
    session,
    session_stream,
)
from ...domain.identifiers import identifier, names
from ..writing.times import time_ms
from .base import SessionCommands, checked, checked_or_none

ResultT = TypeVar("ResultT")


class DelegationCommands(SessionCommands):
    """Hosts, delegates and hands over sessions, and their fragments."""

    def host(self, session_id: str, authority: str) -> None:
        """Have an authority host the session; asked for again, nothing changes (aura 2.25; law 7).

        Raises:
            AlreadyHosted: an authority holds it.
        """
        return self._run(session.host, session_id, identifier("authority", authority))

    def delegate(
        self,
        session_id: str,
        from_authority: str,
        to_authority: str,
        bundle_id: str | None = None,
        boundary: LinkBoundary | None = None,
        context_id: str | None = None,
        *,
        from_role: str | None = None,
        to_role: str | None = None,
        upgrade: RuntimeUpgradeRequest | None = None,
        claimed_at: ProvenancedTime | None = None,
    ) -> DelegationOutcome:
        """Give the session, which nobody owns, to another authority (aura 2.27 to 2.29; law 7).

        The fragments of the last owner go along, as far as the boundary covers them, and are held by whoever claims the
        session next. Repeating the latest delegation answers what it answered, and appends nothing.

        Args:
            session_id: the session.
            from_authority: the authority that holds it.
            to_authority: the authority that is to hold it.
            bundle_id: the bundle that it is made through.
            boundary: the boundary; None for the bundle's own.
            context_id: the context that it belongs to; None for the one that the session was opened in, if any.
            from_role: the role that delegates; a session with delegation constraints must be told. The same for the
                next one.
            to_role: the role that it goes to.
            upgrade: an upgrade of the bundle that is committed with it.
            claimed_at: when it was made, if somebody else than the journal says so: the time, who claims it, and by how
                much it may be wrong. None for now, by the journal's clock.

        Returns:
            The receipt, with every delegator that it clears and when it was made, and the witness.

        Raises:
            MissingSurface: the runtime cannot hand anything over, or cannot upgrade.
            SessionDraining: the session runs out.
            UnknownRole, DelegationConstrained: the session's manifest requires another bundle between the roles.
            SelfDelegation: both authorities are the same.
            BundleNotFound, BoundaryBundleMismatch, BoundaryScopeMismatch: what it is made through does not hold.
            NotActiveHolder: ``from_authority`` does not hold the session; this is recorded.
            HandOverRequired: the session has an owner, which would be left behind.
            InvalidArgument: there is an upgrade, and no bundle; or a claimed time names nobody who claims it.
            MembersNotSeeded, UpgradePending, UpgradeExists, UpgradeRejected: the upgrade cannot be, and nothing is
                delegated.
        """
        self._require_surfaces(upgrade)
        request = _request(
            session_id, from_authority, to_authority, bundle_id, boundary, context_id, (from_role, to_role)
        )
        arguments = (request, checked_or_none(upgrade, RuntimeUpgradeRequest), _claimed(claimed_at))
        return self._run_with_bundle(session.delegate, session_id, bundle_id, *arguments)

    def hand_over(
        self,
        capability: OwnershipCapability,
        to_owner: str,
        *,
        from_authority: str,
        to_authority: str,
        bundle_id: str | None = None,
        boundary: LinkBoundary | None = None,
        context_id: str | None = None,
        from_role: str | None = None,
        to_role: str | None = None,
        upgrade: RuntimeUpgradeRequest | None = None,
        claimed_at: ProvenancedTime | None = None,
    ) -> DelegationOutcome:
        """Give the live session to another authority and owner, with its fragments, in one append (aura 2.31; law 7).

        Args:
            capability: the live capability.
            to_owner: the new owner's label.
            from_authority: the authority that holds the session.
            to_authority: the authority that is to hold it.
            bundle_id: the bundle that it is made through.
            boundary: the boundary, whose scope the new owner holds; None for the bundle's own, or without a bundle for
                the live scope. A bundle's own gives the bundle's fragment only, and an owner of fragments cannot close
                the session: ``LinkBoundary(bundle_id, scope=FULL_SESSION)`` keeps all of it.
            context_id: the context that it belongs to; None for the one that the session was opened in, if any.
            from_role: the role that delegates; a session with delegation constraints must be told. The same for the
                next one.
            to_role: the role that it goes to.
            upgrade: an upgrade of the bundle that is committed with it.
            claimed_at: when it was made, if somebody else than the journal says so; see ``delegate``.

        Returns:
            The receipt, the witness, and the new owner's capability.

        Raises:
            SessionDraining, UnknownRole, DelegationConstrained
            MissingSurface, SelfDelegation, BundleNotFound, BoundaryBundleMismatch, BoundaryScopeMismatch
            NotActiveHolder: ``from_authority`` does not hold the session; this is recorded.
            TransferPending: a transfer is staged.
            BoundaryRejected, ScopeViolation: the boundary reaches further than the capability.
            InvalidArgument: there is an upgrade, and no bundle; or a claimed time names nobody who claims it.
            MembersNotSeeded, UpgradePending, UpgradeExists, UpgradeRejected: the upgrade cannot be.
        """
        self._require_surfaces(upgrade)
        presented = checked(capability, OwnershipCapability)
        request = _request(
            presented.session_id, from_authority, to_authority, bundle_id, boundary, context_id, (from_role, to_role)
        )
        arguments = (
            presented,
            identifier("to_owner", to_owner),
            request,
            checked_or_none(upgrade, RuntimeUpgradeRequest),
            _claimed(claimed_at),
        )
        hand_over = partial(session.hand_over, policy=self._policy)
        return self._run_with_bundle(hand_over, presented.session_id, bundle_id, *arguments)

    def claim_fragments(
        self, capability: OwnershipCapability, manifest: CompositionManifest
    ) -> tuple[SessionFragment, ...]:
        """Claim the fragments of a manifest, all or none (aura 2.14).

        Returns:
            Those that were not held before; to return what this claim got, release exactly these.

        Raises:
            ScopeViolation: the capability does not reach over all of them.
            FragmentConflict: another label, or another protocol, has one.
            LimitReached: 1 000 are held, or they take 256 KiB.
        """
        presented = checked(manifest, CompositionManifest)
        return self._present(session.claim_fragments, checked(capability, OwnershipCapability), presented)

    def move_fragments(
        self, capability: OwnershipCapability, fragment_keys: Iterable[str], to_owner: str
    ) -> tuple[SessionFragment, ...]:
        """Have fragments held under another label; exactly those that are named (aura 2.14).

        Args:
            capability: the live capability. One over the full session reaches every fragment. One over fragments
                reaches those of them that its owner holds.
            fragment_keys: the fragments.
            to_owner: the label that is to hold them.

        Raises:
            ScopeViolation, FragmentConflict: the capability does not reach over one.
            FragmentNotHeld: nobody has one.
            LimitReached: the held fragments would take more than 256 KiB.
        """
        keys = names("fragment_keys", fragment_keys)
        presented = checked(capability, OwnershipCapability)
        return self._present(session.move_fragments, presented, keys, identifier("to_owner", to_owner))

    def release_fragments(
        self, capability: OwnershipCapability, fragment_keys: Iterable[str]
    ) -> tuple[SessionFragment, ...]:
        """Give fragments up; exactly those that are named (aura 2.14). See ``move_fragments``."""
        keys = names("fragment_keys", fragment_keys)
        return self._present(session.release_fragments, checked(capability, OwnershipCapability), keys)

    def check_boundary(self, capability: OwnershipCapability, boundary: LinkBoundary) -> None:
        """Return if the capability is live and reaches over a boundary; raise otherwise (aura 2.15, 2.16).

        Raises:
            BoundaryRejected: it does not reach that far.
        """
        presented = checked(boundary, LinkBoundary)
        return self._present(session.check_boundary, checked(capability, OwnershipCapability), presented)

    def _require_surfaces(self, upgrade: RuntimeUpgradeRequest | None) -> None:
        self._surfaces.require("session delegation")
        if upgrade is not None:
            self._surfaces.require("runtime upgrade")

    def _run_with_bundle(
        self, command: Callable[..., Decision[ResultT]], session_id: str, bundle_id: str | None, *arguments: object
    ) -> ResultT:
        """Carry a command out that also looks at a bundle, if there is one."""
        if bundle_id is None:
            return self._run(command, session_id, None, *arguments)
        return self._journal.execute((session_stream(session_id), bundle_stream(bundle_id)), command, *arguments)


def _claimed(claimed_at: ProvenancedTime | None) -> ProvenancedTime | None:
    """A time that somebody claims. What the journal's clock tells is not for a caller to say."""
    claimed = checked_or_none(claimed_at, ProvenancedTime)
    if claimed is not None:
        if claimed.is_recorded:
            raise InvalidArgument("claimed_at", "must name its origin: who claims that time")
        time_ms("claimed_at", claimed.at)
    return claimed


def _request(
    session_id: str,
    from_authority: str,
    to_authority: str,
    bundle_id: str | None,
    boundary: LinkBoundary | None,
    context_id: str | None,
    roles: tuple[str | None, str | None],
) -> session.DelegationRequest:
    session_id = identifier("session_id", session_id)
    request = session.DelegationRequest(
        from_authority=identifier("from_authority", from_authority),
        to_authority=identifier("to_authority", to_authority),
        bundle_id=None if bundle_id is None else identifier("bundle_id", bundle_id),
        boundary=checked_or_none(boundary, LinkBoundary),
        context_id=None if context_id is None else identifier("context_id", context_id),
        from_role=None if roles[0] is None else identifier("from_role", roles[0]),
        to_role=None if roles[1] is None else identifier("to_role", roles[1]),
    )
    if request.from_authority == request.to_authority:
        raise SelfDelegation(session_id, request.from_authority)
    return request
