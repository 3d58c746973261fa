"""Which of the reference systems' permissions a journal grants."""

from __future__ import annotations

from dataclasses import fields
from typing import Self

from pydantic.dataclasses import dataclass

from .errors import InvalidArgument
from .identifiers import text
from .shown import shown
from .value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Policy:
    """What is permitted beyond the laws. The default is strict: nothing.

    No policy can switch off that a generation is never reused, a witness is spent once, and undo only appends.

    Attributes:
        claim_again_returns_live: claiming a session with the live owner's label returns the live capability instead
            of ``AlreadyClaimed`` (aura 2.9).
        scope_may_widen: a transfer or attenuation may name a wider scope (telltale 2.6, aura 2.12), and so may a claim
            after an owner of fragments released the session (telltale 2.1).
    """

    claim_again_returns_live: bool = False
    scope_may_widen: bool = False

    @classmethod
    def reference(cls) -> Policy:
        """What the reference runtimes permit, as far as permission can be given safely."""
        return cls(claim_again_returns_live=True, scope_may_widen=True)

    @property
    def name(self) -> str | None:
        """What events that are decided under it say in their metadata; None for the strict one, which is not said."""
        return "+".join(field.name for field in fields(self) if getattr(self, field.name)) or None

    @classmethod
    def named(cls, name: str | None) -> Self:
        """The policy of a name.

        Raises:
            InvalidArgument: there is no such policy.
        """
        permitted = () if name is None else tuple(text("policy", name).split("+"))
        known = {field.name for field in fields(cls)}
        if len(set(permitted)) != len(permitted) or not known.issuperset(permitted):
            raise InvalidArgument(
                "policy", f"permits something unknown: {shown(name)}; known: {', '.join(sorted(known))}"
            )
        return cls(**dict.fromkeys(permitted, True))
