"""Where a stream stands, without what undoing does not give back."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from muniment.domain import OwnershipCapability, OwnershipReceipt


def essence(value: Any) -> Any:
    """A standing without generations, counters and records of the past."""
    if isinstance(value, OwnershipCapability):
        return value.owner, value.scope
    if isinstance(value, OwnershipReceipt):
        return value.from_owner, value.to_owner, value.scope
    return value


def parts(standing: Any) -> dict[str, Any]:
    """What is to be the same again. A witness stands for one generation, and ends with it."""
    names = {field.name for field in fields(standing)} - {"outstanding_witnesses"}
    return {name: essence(getattr(standing, name)) for name in names}
