"""What refuses a delegation, a hand-over, or a command on fragments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .base import CommandRefused

if TYPE_CHECKING:
    from ..scope import OwnershipScope


@dataclass(eq=False)
class AlreadyHosted(CommandRefused):
    """An authority holds the session; only one does at a time (law 7).

    Attributes:
        authority: the authority that was to host it.
        holder: the authority that holds it.
    """

    session_id: str
    authority: str
    holder: str

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r} is held by authority {self.holder!r}, so {self.authority!r} cannot host it; "
            f"have {self.holder!r} delegate it"
        )


@dataclass(eq=False)
class NotActiveHolder(CommandRefused):
    """Only the authority that holds a session delegates it (aura 2.27).

    Attributes:
        authority: the authority that was to delegate.
        holder: the authority that holds the session; None if none does.
    """

    session_id: str
    authority: str
    holder: str | None

    def __str__(self) -> str:
        if self.holder is None:
            return f"session {self.session_id!r} is held by no authority, so {self.authority!r} cannot delegate it"
        return (
            f"session {self.session_id!r} is held by authority {self.holder!r}, not {self.authority!r}; "
            "only the holder delegates"
        )


@dataclass(eq=False)
class HandOverRequired(CommandRefused):
    """The session has an owner, and a delegation moves authority and owner together (law 7).

    Attributes:
        owner: the label of the live owner.
    """

    session_id: str
    owner: str

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r} is owned by {self.owner!r}, who would be left behind; "
            "hand it over with its live capability, or release it first"
        )


@dataclass(eq=False)
class BoundaryRejected(CommandRefused):
    """The boundary reaches further than the capability (aura 2.15, 2.16).

    Attributes:
        fragment_keys: the boundary's fragments, sorted; none for the whole session.
        scope: the capability's scope.
    """

    session_id: str
    fragment_keys: tuple[str, ...]
    scope: OwnershipScope

    def __str__(self) -> str:
        reach = f"fragments {{{', '.join(self.fragment_keys)}}}" if self.fragment_keys else "the whole session"
        return f"session {self.session_id!r}: the boundary reaches over {reach}, the capability over {self.scope}"


@dataclass(eq=False)
class BoundaryBundleMismatch(CommandRefused):
    """The boundary is another bundle's (aura 2.28).

    Attributes:
        bundle_id: the bundle that the delegation names; None if it names none.
        boundary_bundle_id: the bundle that the boundary names; None if it names none, or several.
    """

    session_id: str
    bundle_id: str | None
    boundary_bundle_id: str | None

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: the delegation names bundle {self.bundle_id!r}, "
            f"and its boundary {self.boundary_bundle_id!r}; they must be the same"
        )


@dataclass(eq=False)
class BoundaryScopeMismatch(CommandRefused):
    """Who held the boundary's scope would be locked out of the boundary (aura 2.28).

    Attributes:
        fragment_keys: the boundary's fragments, sorted; none for the whole session.
        scope: the scope that the boundary gives.
    """

    session_id: str
    fragment_keys: tuple[str, ...]
    scope: OwnershipScope

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: the boundary gives {self.scope}, "
            f"which does not reach over its own fragments {{{', '.join(self.fragment_keys)}}}"
        )


@dataclass(eq=False)
class FragmentConflict(CommandRefused):
    """Another owner, or another protocol, holds the fragment (aura 2.14).

    Attributes:
        fragment_key: the fragment.
        owner: the label that holds it.
        protocol_id: the protocol that it is held for.
        requested_owner: the label that was to hold it.
    """

    session_id: str
    fragment_key: str
    owner: str
    protocol_id: str
    requested_owner: str

    def __str__(self) -> str:
        return (
            f"session {self.session_id!r}: fragment {self.fragment_key!r} is held by {self.owner!r} for protocol "
            f"{self.protocol_id!r}, so {self.requested_owner!r} cannot have it; move it or release it first"
        )


@dataclass(eq=False)
class FragmentNotHeld(CommandRefused):
    """Nobody holds the fragment (aura 2.14)."""

    session_id: str
    fragment_key: str

    def __str__(self) -> str:
        return f"session {self.session_id!r}: nobody holds fragment {self.fragment_key!r}; claim it from its manifest"


@dataclass(eq=False)
class DelegationConstrained(CommandRefused):
    """The session's manifest says through which bundle these roles are delegated (aura 6, O-37).

    Attributes:
        from_role: the role that was to delegate; None if it was not said.
        to_role: the role that it was to go to; None if it was not said.
        bundle_id: the bundle that was named; None if none was.
        required: the bundle that it takes; None if the roles must be said first.
    """

    session_id: str
    from_role: str | None
    to_role: str | None
    bundle_id: str | None
    required: str | None

    def __str__(self) -> str:
        if self.required is None:
            return (
                f"session {self.session_id!r} has delegation constraints, which go by roles; "
                "say from_role and to_role, each one that it was opened with"
            )
        through = "through no bundle" if self.bundle_id is None else f"through {self.bundle_id!r}"
        return (
            f"session {self.session_id!r}: {self.from_role!r} is delegated to {self.to_role!r} through bundle "
            f"{self.required!r} alone, not {through}; name that bundle"
        )
