"""The engines that come with Muniment keep to the contract that it ships."""

from __future__ import annotations

import pytest
from muniment.journal.testing import JournalContract


class TestStored(JournalContract):
    @pytest.fixture
    def url(self, shared_url: str) -> str:
        return shared_url


class TestInMemory(JournalContract):
    # A journal in memory ends when it is closed.
    test_what_was_acknowledged_is_there_again = None  # type: ignore[assignment]

    @pytest.fixture
    def url(self) -> str:
        return "memory://"
