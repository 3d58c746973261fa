"""The engines that come with Muniment keep to the contract that it ships."""

from __future__ import annotations

import pytest
from muniment.journal.testing import JournalContract


class TestEngines(JournalContract):
    @pytest.fixture
    def url(self, url: str) -> str:
        return url
