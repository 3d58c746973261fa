"""The part of ``journal.sessions`` that starts and runs owned sessions, each in one task or thread at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from typing import Any, TypeVar

from ...domain import (
    CompositionManifest,
    InvalidArgument,
    LinkBoundary,
    ManifestWithoutBundles,
    OwnershipCapability,
    session,
    session_stream,
)
from ...domain.identifiers import identifier, role_names
from ...domain.protocol import SessionPlan
from ..writing.bindings import Binding
from .base import Ask, Checks, Command, Steps, carry_out, checked, checked_or_none
from .lifecycle import LifecycleCommands, session_terms, timed
from .owned import OwnedSession
from .protocols import planned_roles

ResultT = TypeVar("ResultT")


class RunningCommands(LifecycleCommands):
    """Starts owned sessions, and says which of them runs where (aura 2.1, 2.2, 2.17, 2.18)."""

    def start(
        self,
        session_id: str,
        owner: str,
        *,
        roles: Iterable[str] = (),
        plan: SessionPlan | None = None,
        manifest: CompositionManifest | None = None,
        current_role: str | None = None,
        protocol_id: str | None = None,
        context_id: str | None = None,
        timeout_ms: int | None = None,
        inbox_capacity: int | None = None,
        now: int | None = None,
        binding: str | None = None,
    ) -> OwnedSession:
        """Open a session and claim it with its fragments, in one append (aura 2.17, 2.18). It then runs here.

        Args:
            session_id: the session.
            owner: the owner's label.
            roles: names of the parts that are played in it; by default those of the manifest.
            plan: what its roles do; see ``open``.
            manifest: what it is put together from: its fragments are claimed, its boundary is set, its protocol
                attached, and its delegation constraints hold.
            current_role: the role that this host plays, one of the roles.
            protocol_id: the protocol that it runs; by default the manifest's.
            context_id: the context that it belongs to.
            timeout_ms: how long it may take, in ms; None for ever.
            inbox_capacity: how many envelopes may wait in its inbox; 1 024 by default, at most 10 000.
            now: the time, in ms; by default the journal's clock tells it.
            binding: a name to bind it to; by default it is bound to the task or thread that asks.

        Raises:
            TaskAlreadyBound: another session runs here.
            SessionAlreadyOpen, UnknownRole, LimitReached
            ManifestWithoutBundles: the manifest names no bundles; give roles and protocol instead.
            InvalidArgument: the manifest speaks of a role that the session is opened without.
        """
        composed = checked_or_none(manifest, CompositionManifest)
        names, planned = planned_roles(role_names(roles), plan)
        if composed is not None:
            names = names or role_names(composed.role_names)
            protocol_id = composed.protocol_id if protocol_id is None else protocol_id
            _require_roles(composed, names)
        terms = session_terms(protocol_id, context_id, current_role, timeout_ms, inbox_capacity, composed)
        name, label, here = identifier("session_id", session_id), identifier("owner", owner), Binding.here(binding)
        starting = timed(session.start, now)
        command = Command(session_stream(name), starting, (label, names, terms, composed, planned))
        return carry_out(self._journal, self._starting(here, name, command, composed, binding))

    def _starting(
        self,
        here: Binding,
        session_id: str,
        command: Command,
        manifest: CompositionManifest | None,
        binding: str | None,
    ) -> Steps[OwnedSession]:
        capability: OwnershipCapability = yield from self._bound_from_the_start(here, session_id, command)
        return self._owned(capability, session.boundary_of(manifest), binding)

    def owned(
        self, capability: OwnershipCapability, boundary: LinkBoundary | None = None, *, binding: str | None = None
    ) -> OwnedSession:
        """Make an owned session of a capability, such as one that was handed over. Nothing is read or written.

        Args:
            capability: what its owner holds.
            boundary: what it acts inside; None for the capability's scope.
            binding: the name that the session is bound to; by default it must be bound to the task or thread that
                uses the owned session.
        """
        presented = checked(capability, OwnershipCapability)
        given = checked_or_none(boundary, LinkBoundary)
        name = None if binding is None else identifier("binding", binding)
        return self._owned(presented, given or LinkBoundary.for_scope(presented.scope), name)

    def _owned(self, capability: OwnershipCapability, boundary: LinkBoundary, binding: str | None) -> OwnedSession:
        return OwnedSession(self, capability, boundary, binding)

    @contextmanager
    def bound(self, session_id: str, *, binding: str | None = None) -> Iterator[None]:
        """Have the session run in this task or thread, in a ``with`` block (aura 2.1).

        Tasks and threads that are begun in the block do not run it.

        Args:
            session_id: the session.
            binding: a name to bind it to instead.

        Raises:
            SessionNotFound, SessionTerminal: it is not open.
            TaskAlreadyBound: another session runs here, or this one runs elsewhere.
        """
        name, here = identifier("session_id", session_id), Binding.here(binding)
        self._bindings.bind(here, name, self._to_bind(here, name))
        try:
            yield
        finally:
            self._bindings.unbind(here, name)

    def _to_bind(self, here: Binding, session_id: str) -> int:
        """The open incarnation of a session that is to be bound here; what is over is dropped first."""
        incarnation = self._required_incarnation(session_id)
        self._bindings.drop_stale(here, session_id, self._open_incarnation)
        return incarnation

    def rebind(self, session_id: str, binding: str | None = None) -> None:
        """Have the session run in this task or thread, instead of wherever it runs.

        Args:
            session_id: the session.
            binding: a name to bind it to instead.

        Raises:
            SessionNotFound, SessionTerminal: it is not open.
            TaskAlreadyBound: another session runs here.
        """
        name, here = identifier("session_id", session_id), Binding.here(binding)
        return carry_out(self._journal, self._rebinding(here, name))

    def _rebinding(self, here: Binding, session_id: str) -> Steps[None]:
        incarnation: int = yield Ask(partial(self._to_bind, here, session_id))
        self._bindings.move(here, session_id, incarnation)

    def current(self, binding: str | None = None) -> str | None:
        """The open session that runs in this task or thread; None if none does.

        Args:
            binding: a name that it is bound to instead.
        """
        return carry_out(self._journal, self._current(Binding.here(binding)))

    def _required_incarnation(self, session_id: str) -> int:
        return self._reader.read_state(session_stream(session_id), _of_open)

    def _noted(self, command: str, *arguments: object) -> Command:
        """What one of the commands would have carried out."""
        noting = self._noting()
        noted: Command = getattr(noting, command)(*arguments)
        return noted

    def _noting(self) -> Any:
        """The same commands, which only note what is to be carried out."""
        noting = copy(self)
        noting._journal = Checks()
        return noting


def _of_open(state: session.SessionState) -> int:
    session.require_open(state)
    return state.incarnation


def _require_roles(manifest: CompositionManifest, roles: tuple[str, ...]) -> None:
    """The manifest names bundles, and speaks of no roles but these."""
    if not manifest.link_specs:
        raise ManifestWithoutBundles(manifest.protocol_id)
    spoken = [spec.role for spec in manifest.link_specs if spec.role is not None]
    spoken += [role for each in manifest.delegation_constraints for role in (each.from_role, each.to_role)]
    for role in spoken:
        if role not in roles:
            raise InvalidArgument("manifest", f"speaks of the role {role!r}, which the session is opened without")
