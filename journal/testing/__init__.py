"""A kit for who builds on Muniment, with pytest: ``pip install 'muniment[testing]'``. No other room imports it.

- ``given(…).when(…).then(…)``: decisions, tested as sentences about events
- ``JournalContract``: what every storage engine must keep to, as a class of tests to inherit
- ``LawsMachine``: the laws as a stateful machine of Hypothesis, on journals that a subclass opens
"""

import pytest

# Before they are imported, so that an assertion that fails says what it compared.
pytest.register_assert_rewrite(f"{__name__}.contract", f"{__name__}.given_when_then", f"{__name__}.machine")

from .contract import JournalContract
from .given_when_then import Given, Then, given, given_bundle, given_conversation, types
from .machine import LawsMachine

__all__ = ["Given", "JournalContract", "LawsMachine", "Then", "given", "given_bundle", "given_conversation", "types"]
