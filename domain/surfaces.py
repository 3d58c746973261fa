"""What a runtime offers beneath the journal, without which some operations make no sense (aura 1.10, 2.22)."""

from __future__ import annotations

from dataclasses import fields

from pydantic.dataclasses import dataclass

from .errors import MissingSurface
from .value import VALUE, value_type


@value_type()
@dataclass(frozen=True, slots=True, config=VALUE)
class Surfaces:
    """The protocol-critical surfaces of a runtime. By default it has them all.

    Attributes:
        ownership_receipt: receipts prove who owned what.
        semantic_handoff: a session can be handed over while it runs.
        reconfiguration_transition: members can be replaced while it runs.
    """

    ownership_receipt: bool = True
    semantic_handoff: bool = True
    reconfiguration_transition: bool = True

    @classmethod
    def none(cls) -> Surfaces:
        """A runtime that offers none: it can neither link bundles, nor delegate, nor upgrade."""
        return cls(ownership_receipt=False, semantic_handoff=False, reconfiguration_transition=False)

    def require(self, operation: str) -> None:
        """Make sure that the runtime has what an operation depends on. Each of them depends on all three.

        Args:
            operation: what is asked for, for the message.

        Raises:
            MissingSurface: it has not.
        """
        missing = tuple(field.name for field in fields(self) if not getattr(self, field.name))
        if missing:
            raise MissingSurface(operation, missing)
