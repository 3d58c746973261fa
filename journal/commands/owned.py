"""``OwnedSession``: a session with its owner's capability and boundary, for whoever runs it (aura 2.16 to 2.21)."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from ...domain import (
    Decision,
    InvalidArgument,
    LinkBoundary,
    OwnershipCapability,
    OwnershipReceipt,
    OwnershipScope,
    RoundFailed,
    session,
)
from ...domain.content import content, size_and_sha256
from ...domain.identifiers import identifier
from ...domain.scope import scope as checked_scope
from ...domain.session import Ingress, RoundOutcome
from ...domain.value import exact, function
from ..writing.bindings import Binding, Bindings
from .base import Command, Executes, Steps, carry_out, checked_or_none

ResultT = TypeVar("ResultT")


class Runs(Protocol):
    """The commands on sessions, as an owned session gives them."""

    _bindings: Bindings
    _journal: Executes

    def close(self, capability: OwnershipCapability) -> None:
        """See ``Sessions.close``."""

    def _noted(self, command: str, *arguments: object) -> Command:
        """What one of the commands would have carried out."""

    def _present(
        self, command: Callable[..., Decision[ResultT]], artifact: OwnershipCapability | OwnershipReceipt, *rest: object
    ) -> ResultT:
        """Carry out a command on the session of an artifact."""


class OwnedSession:
    """A session that the caller owns and runs. Whatever is done with it takes the live capability.

    The task or thread that uses it must be the one that the session is bound to. A copy that is kept through a transfer
    is stale: every use raises ``StaleCapability``, with the live owner and generation.

    Attributes:
        capability: what the owner holds.
        boundary: what it acts inside.
    """

    def __init__(
        self,
        sessions: Runs,
        capability: OwnershipCapability,
        boundary: LinkBoundary,
        binding: str | None,
    ) -> None:
        self._sessions = sessions
        self._binding = binding
        self.capability = capability
        self.boundary = boundary

    @property
    def session_id(self) -> str:
        """The session."""
        return self.capability.session_id

    @property
    def owner(self) -> str:
        """The owner's label."""
        return self.capability.owner

    def accept(
        self,
        kind: str,
        *,
        active_role: str | None = None,
        from_role: str | None = None,
        to_role: str | None = None,
        payload: object = None,
        keep_payload: bool = True,
    ) -> None:
        """Record something that came in, under the live capability and inside the boundary (aura 2.20).

        What is refused is recorded too, within bounds (law 6).

        Args:
            kind: what it is, in the host's words, such as ``blocked_receive``.
            active_role: the role that it is for.
            from_role: the role that it comes from.
            to_role: the role that it goes to.
            payload: what it says: bytes or JSON, at most 64 KiB; None for nothing.
            keep_payload: whether the journal keeps the payload, for ever. Otherwise it keeps the size and the SHA-256,
                and the host the rest, which it can then erase.

        Raises:
            MissingTaskBinding, SessionBindingMismatch: the session does not run here.
            UnknownRole: the session was opened without one of the roles.
            BoundaryRejected: the capability does not reach over the boundary.
            InvalidArgument, BoundExceeded: the payload is neither bytes nor JSON, or too large.
        """
        self._require_here()
        said = None if payload is None else content(payload)
        size, digest = (0, None) if said is None else size_and_sha256(said)
        is_kept = exact("keep_payload", keep_payload, bool)
        ingress = Ingress(
            kind=identifier("kind", kind),
            active_role=_named(active_role),
            from_role=_named(from_role),
            to_role=_named(to_role),
            size=size,
            sha256=digest,
            payload=said if is_kept else None,
        )
        return self._sessions._present(session.accept_ingress, self.capability, self.boundary, ingress)

    def round(self, role: str, step: Callable[[], RoundOutcome]) -> RoundOutcome:
        """Run one step of the host's machine, and record what it resulted in (aura 2.20).

        The capability is checked before the step and once more with the record. What the step raises goes on, and
        leaves no record.

        Args:
            role: the role that the step is for.
            step: takes nothing.

        Returns:
            ``continue``, ``complete`` or ``deferred``.

        Raises:
            MissingTaskBinding, SessionBindingMismatch: the session does not run here.
            UnknownRole: the session was opened without the role.
            BoundaryRejected: the capability does not reach over the boundary.
            RoundFailed: it timed out, was cancelled, or is stuck; that is on record.
            InvalidArgument: the step answered something else.
        """
        self._admit(role, step)
        answer = step()
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()
            raise InvalidArgument("step", "must not be async here: it would not be waited for")
        self._record(role, answer)
        return require_success(self.session_id, role, answer)

    def transfer_in_place(self, to_owner: str, boundary: LinkBoundary | None = None) -> None:
        """Hand the session to another owner, for whom this then stands (aura 2.19). On error it stays as it is.

        Args:
            to_owner: the new owner's label; it may be the old one.
            boundary: the new boundary, whose scope the new owner holds; None keeps boundary and scope.

        Raises:
            MissingTaskBinding, SessionBindingMismatch: the session does not run here.
            TransferPending: a transfer is staged.
            ScopeViolation: the boundary's scope is wider than the live one.
        """
        given = checked_or_none(boundary, LinkBoundary)
        self._require_here()
        scope = None if given is None else given.scope
        noted = self._sessions._noted("transfer", self.capability, to_owner, scope)
        return carry_out(self._sessions._journal, self._becoming(noted, given or self.boundary))

    def attenuate(self, scope: OwnershipScope) -> None:
        """Narrow what this owner holds, and its boundary with it (aura 2.19; law 3). On error it stays as it is.

        Raises:
            MissingTaskBinding, SessionBindingMismatch: the session does not run here.
            TransferPending: a transfer is staged.
            ScopeViolation: the scope is wider than the live one.
        """
        narrower = checked_scope(scope)
        self._require_here()
        noted = self._sessions._noted("attenuate", self.capability, narrower)
        return carry_out(self._sessions._journal, self._becoming(noted, LinkBoundary.for_scope(narrower)))

    def close(self) -> None:
        """End the session in good order; see ``Sessions.close`` (aura 2.21).

        Raises:
            MissingTaskBinding, SessionBindingMismatch: the session does not run here.
            ScopeViolation: the capability covers fragments only.
            TransferPending, InboxNotEmpty
        """
        self._require_here()
        return self._sessions.close(self.capability)

    def _becoming(self, command: Command, boundary: LinkBoundary) -> Steps[None]:
        """Have this stand for what a command gives."""
        given = yield command
        self.capability, self.boundary = given, boundary

    def _admit(self, role: str, step: object) -> Any:
        function("step", step)
        self._require_here()
        named = identifier("role", role)
        return self._sessions._present(session.admit, self.capability, self.boundary, named)

    def _record(self, role: str, answer: object) -> Any:
        result = exact("step", answer, RoundOutcome)
        return self._sessions._present(session.record_round, self.capability, self.boundary, role, result)

    def _require_here(self) -> None:
        self._sessions._bindings.require(Binding.here(self._binding), self.session_id)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.session_id!r} of {self.owner!r}, generation {self.capability.generation}>"


def _named(role: str | None) -> str | None:
    return None if role is None else identifier("role", role)


def require_success(session_id: str, role: str, result: RoundOutcome) -> RoundOutcome:
    """What a round resulted in, once it is on record.

    Raises:
        RoundFailed: it timed out, was cancelled, or is stuck.
    """
    if result.is_failure:
        raise RoundFailed(session_id, role, result.value)
    return result
