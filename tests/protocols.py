"""Protocols drawn at random: local types over given partners, and the plans of two or more roles."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from hypothesis import strategies as st
from muniment.domain.protocol import Branch, End, LocalType, Mu, Recv, Send, SessionPlan, Var

ROLES: Final = ("A", "B", "C", "D")
LABELS: Final = ("ask", "tell", "stop")
VARIABLES: Final = ("x", "y")
"""Few, so that one recursion often hides another of its name."""


@st.composite
def local_types(
    draw: st.DrawFn,
    partners: Sequence[str],
    depth: int = 6,
    guarded: frozenset[str] = frozenset(),
    waiting: frozenset[str] = frozenset(),
) -> LocalType:
    """Types that any plan takes: every variable is bound, and behind a message.

    Args:
        draw: what hypothesis draws by.
        partners: the other roles.
        depth: how many nodes stand above one another at most.
        guarded: the variables that may be used.
        waiting: the variables that may be used after the next message.
    """
    kinds = ["end", *(["var"] * 2 if guarded else []), *(["mu", "send", "recv"] if depth > 1 else [])]
    match draw(st.sampled_from(kinds)):
        case "end":
            return End()
        case "var":
            return Var(draw(st.sampled_from(sorted(guarded))))
        case "mu":
            name = draw(st.sampled_from(VARIABLES))
            return Mu(name, draw(local_types(partners, depth - 1, guarded - {name}, waiting | {name})))
        case kind:
            make: Callable[..., LocalType] = Send if kind == "send" else Recv
            then = local_types(partners, depth - 1, guarded | waiting)
            labels = draw(st.lists(st.sampled_from(LABELS), min_size=1, max_size=2, unique=True))
            value_types = st.sampled_from([None, "price"])
            branches = [Branch(label, draw(then), draw(value_types)) for label in labels]
            return make(draw(st.sampled_from(partners)), branches)


@st.composite
def plans(draw: st.DrawFn) -> SessionPlan:
    """Plans of two or more roles, most of which have a type."""
    roles = draw(st.permutations(ROLES))[: draw(st.integers(2, len(ROLES)))]
    typed = [role for role in roles if draw(st.integers(0, 4))]
    types = {role: draw(local_types([each for each in roles if each != role])) for role in typed}
    return SessionPlan(tuple(roles), tuple(types.items()))
