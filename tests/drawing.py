"""How many examples are drawn at random."""

from __future__ import annotations

import os
from typing import Final

SHARE: Final = float(os.environ.get("MUNIMENT_TEST_DRAWN", "0.3"))
"""How many are drawn for each that a test asks for; a run of CI has no time for all."""


def drawn(examples: int) -> int:
    """So many examples, or the share of them that there is time for."""
    return max(4, round(examples * SHARE))
