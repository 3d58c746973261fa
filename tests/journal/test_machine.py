"""The kit's stateful machine of the laws, on files and in memory; and that it finds what breaks a law."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from muniment.domain import Policy
from muniment.journal import Journal
from muniment.journal.testing import LawsMachine

from ..drawing import drawn


class FileMachine(LawsMachine):
    def new_url(self) -> str:
        self._folder = Path(tempfile.mkdtemp(prefix="muniment-machine-"))
        return f"sqlite:///{self._folder}/journal.db"

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            shutil.rmtree(self._folder)


TestInMemory = LawsMachine.TestCase
TestInMemory.settings = settings(max_examples=drawn(60), stateful_step_count=30)
TestInFiles = FileMachine.TestCase
TestInFiles.settings = settings(max_examples=drawn(15), stateful_step_count=30)


class PermissiveMachine(LawsMachine):
    def open(self, url: str) -> Journal:
        return Journal.open(url, policy=Policy.reference())


def test_it_fails_where_more_is_permitted_than_the_laws_permit() -> None:
    # The first failure is enough; it need not be made short.
    found = settings(max_examples=200, phases=[Phase.generate], database=None)
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(PermissiveMachine, settings=found)
