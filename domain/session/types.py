"""Advancing local types: a role takes the steps that its type permits, and no others (``TypeEntry``).

Types stand in the inbox's stream, so that they do not race ownership commands.
"""

from __future__ import annotations

from ..artifacts import OwnershipCapability
from ..decision import decision
from ..errors import NoLocalType, TypeViolation, UnknownRole
from ..event import Decision, accept
from ..inbox import InboxState, TypeAdvanced
from ..protocol import TypeAdvance, TypeStep
from .guards import refuse_beside, require_open
from .state import SessionState


@decision("session.advance")
def advance(
    inbox: InboxState, session: SessionState, capability: OwnershipCapability, role: str, step: TypeStep
) -> Decision[TypeAdvance]:
    """Take a step of a role's local type.

    Raises:
        SessionNotFound, SessionTerminal, UnknownRole
        NoLocalType: the role has no type.
        TypeViolation: its type does not permit the step.
    """
    require_open(session)
    if refused := refuse_beside(session, capability):
        return refused
    if role not in session.role_set:
        raise UnknownRole(session.session_id, role)
    taken = step_of(inbox, session, role, step)
    if taken is None:
        raise NoLocalType(session.session_id, role)
    return accept(TypeAdvanced(capability, taken))


def step_of(inbox: InboxState, session: SessionState, role: str, step: TypeStep) -> TypeAdvance | None:
    """The step as it goes on record; None if the role has no type.

    Raises:
        TypeViolation: its type does not permit the step.
    """
    automaton = None if session.plan is None else session.plan.automata.get(role)
    if automaton is None:
        return None
    is_own = inbox.incarnation == session.incarnation
    state, previous = inbox.standings.get(role, (automaton.start, 0)) if is_own else (automaton.start, 0)
    permitted = automaton.steps(state)
    if step not in permitted:
        raise TypeViolation(session.session_id, role, step, tuple(permitted))
    number = (inbox.last_steps.get(role, 0) if is_own else 0) + 1
    return TypeAdvance(session.incarnation, role, *step, number, previous, state, permitted[step])
