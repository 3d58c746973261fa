"""What a decision depends on beside the streams that it appends to; it is checked again as it is appended."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias


class Unchanged(NamedTuple):
    """Nothing was appended to a stream since.

    Attributes:
        stream: the stream.
        version: its last version as it was known.
    """

    stream: str
    version: int


class NoneSince(NamedTuple):
    """No event of these types was appended to any stream since.

    Attributes:
        types: the types.
        position: the journal's last position as it was known.
    """

    types: tuple[str, ...]
    position: int


Condition: TypeAlias = Unchanged | NoneSince
"""What must hold when events are appended that were decided on more than their own streams."""
