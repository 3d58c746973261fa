"""What a journal permits beyond the laws stands in the metadata of what is appended to it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from muniment.domain import InvalidArgument, Policy
from muniment.journal import Journal


def _journal(path: Path, policy: Policy | None = None) -> Journal:
    return Journal.open(f"sqlite:///{path}", policy=policy)


def test_the_strict_policy_is_not_said(tmp_path: Path) -> None:
    with _journal(tmp_path / "strict.db") as journal:
        journal.sessions.open("s")
        (record,) = journal.read()
    assert record.metadata.policy is None
    assert "policy" not in record.metadata.present()


def test_another_policy_is_said_of_every_event_also_of_what_undoes(tmp_path: Path) -> None:
    with _journal(tmp_path / "reference.db", Policy.reference()) as journal:
        journal.sessions.open("s")
        journal.sessions.claim("s", "a")
        journal.revert(2)
        with journal.context(idempotency_key="k", actor="x"):
            journal.sessions.claim("s", "b")
        with journal.context(idempotency_key="again"):
            journal.sessions.claim("s", "b")
        policies = [record.metadata.policy for record in journal.read()]
    assert policies == [Policy.reference().name] * 5


def test_an_export_and_its_import_keep_it(tmp_path: Path) -> None:
    with _journal(tmp_path / "a.db", Policy(scope_may_widen=True)) as journal:
        journal.sessions.open("s")
        lines = list(journal.export())
    assert json.loads(lines[0])["policy"] == "scope_may_widen"
    with _journal(tmp_path / "b.db") as other:
        other.import_export(lines)
        assert [record.metadata.policy for record in other.read()] == ["scope_may_widen"]


@pytest.mark.parametrize("policy", [Policy(), Policy.reference(), Policy(scope_may_widen=True)])
def test_a_policy_is_found_by_its_name(policy: Policy) -> None:
    assert Policy.named(policy.name) == policy


@pytest.mark.parametrize("name", ["", "everything", "scope_may_widen+scope_may_widen", "scope_may_widen+"])
def test_a_name_of_no_policy_is_refused(name: str) -> None:
    with pytest.raises(InvalidArgument):
        Policy.named(name)
