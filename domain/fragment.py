"""Fragments: the parts of a session that labels hold (aura 1.6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Self

from pydantic.dataclasses import dataclass

from .identifiers import Identifier
from .value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class SessionFragment:
    """A part of a session that is held under a label (aura 1.6, ``VmFragmentOwnerRecord``).

    Attributes:
        key: the fragment's key, ``bundle:<id>`` or ``protocol:<id>``.
        owner: the label that holds it.
        protocol_id: the protocol that it is held for.
        bundle_id: the bundle that it is; None for a protocol without bundles.
        passes: whether it went along with a delegation, and goes to the next claim whose scope covers it; None if not.
            Until then ``owner`` is the label that held it last.
    """

    key: Identifier
    owner: Identifier
    protocol_id: Identifier
    bundle_id: Identifier | None = None
    passes: bool | None = None

    def held_by(self, owner: str) -> Self:
        """The same fragment under another label."""
        return replace(self, owner=owner, passes=None)

    def passed_on(self) -> Self:
        """The same fragment, left to the next claim."""
        return replace(self, passes=True)
