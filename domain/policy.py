"""Which of the reference systems' permissions a journal grants."""

from __future__ import annotations

from pydantic.dataclasses import dataclass

from .value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Policy:
    """What is permitted beyond the laws. The default is strict: nothing.

    That a generation is never reused, a witness is spent once and undo only appends is not for a policy to switch.

    Attributes:
        claim_again_returns_live: claiming a session with the live owner's label returns the live capability instead
            of ``AlreadyClaimed`` (aura 2.9).
        scope_may_widen: a transfer or attenuation may name a wider scope (telltale 2.6, aura 2.12).
    """

    claim_again_returns_live: bool = False
    scope_may_widen: bool = False

    @classmethod
    def reference(cls) -> Policy:
        """What the reference runtimes permit, as far as permission can be given safely."""
        return cls(claim_again_returns_live=True, scope_may_widen=True)
