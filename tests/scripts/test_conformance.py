"""The conformance program, on the recorded trace and on drawn ones."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from click.testing import CliRunner, Result
from muniment.scripts.conformance.delegation import DelegationRun
from muniment.scripts.conformance.ownership import CaseRun, Tally
from muniment.scripts.conformance.run import main
from muniment.scripts.conformance.runtime import RuntimeRun
from muniment.scripts.conformance.traces import TraceError, read_cases

from ..conftest import TRACES
from .reference_model import Reference, draw_case

TELLTALE = TRACES / "telltale-ownership.jsonl.gz"
RUNTIME = TRACES / "aura-ownership.jsonl.gz"
DELEGATION = TRACES / "aura-delegation.jsonl.gz"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(each) for each in arguments])


def test_the_recorded_trace_differs_by_law_only() -> None:
    result = run(TELLTALE, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)["data"][str(TELLTALE)]
    commands = report["compared"]["commands"]
    assert commands["matched"] + commands["by_law"] == 6_578
    assert report["otherwise"] == []
    by_law = {"law 1": 0, "law 2": 9, "law 4": 334, "law 6": 909, "telltale 2.10": 14, "aura 2.9": 214}
    assert report["by_law"] == by_law


def test_the_recorded_delegations_differ_by_law_only() -> None:
    result = run(DELEGATION, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)["data"][str(DELEGATION)]
    commands = report["compared"]["commands"]
    assert commands["matched"] + commands["by_law"] == 6_970
    assert report["otherwise"] == []
    assert report["by_law"] == {
        "law 7, repeat": 65,
        "law 7, stale delegator": 88,
        # No authority delegates to itself in the recorded cases.
        "law 7, self-delegation": 0,
        "aura 6, O-38": 43,
    }


def test_the_recorded_runtime_differs_by_law_only() -> None:
    result = run(RUNTIME, "--json")
    assert result.exit_code == 0
    report = json.loads(result.stdout)["data"][str(RUNTIME)]
    commands = report["compared"]["commands"]
    assert commands["matched"] + commands["by_law"] == 8_000
    assert report["compared"]["final states"] == {"matched": 800, "by_law": 0, "otherwise": 0}
    assert report["otherwise"] == []
    assert report["by_law"] == {"law 2": 1_134, "law 5": 683, "cancelling what is not there is an error": 67}


@pytest.mark.parametrize(
    "step",
    [
        {"op": "current", "ok": 1},
        {"op": "cancel", "session_id": 1, "ok": True},
        {"op": "end", "ok": 1},
        {"op": "start", "session_id": 1, "timeout_ms": None, "err": {"type": "task_already_bound", "session_id": 1}},
        {"op": "claim", "session_id": 1, "owner_id": "a", "err": {"type": "owner_conflict", "session_id": 1}},
    ],
    ids=lambda step: step["op"],
)
def test_a_difference_of_the_runtime_without_a_law_is_told(step: dict[str, Any]) -> None:
    tally = Tally()
    given = {"task": 1, "now_ms": 1, **step}
    RuntimeRun({"case": 0, "steps": [given], "final": [], "active_sessions": 7}, tally).run()
    assert len(tally.otherwise) == 2


def delegation_case(*steps: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A case of a session that authority 1 hosts."""
    native: dict[str, Any] = {"op": "record_native", "authority": 1, "session_id": 0, "ok": None}
    final = [{"authority": 1, "footprint": {"native": [0], "delegated_in": [], "delegated_out": []}}]
    return {"case": 0, "steps": [native, *steps], "final": final, "delegations": 0} | changes


def test_a_delegation_to_oneself_differs_by_law() -> None:
    one = {"native": [0], "delegated_in": [], "delegated_out": []}
    other = {"native": [], "delegated_in": [0], "delegated_out": []}
    answer = {"from_before": one, "from_after": other, "to_before": one, "to_after": other}
    parties = {"session_id": 0, "from_authority": 1, "to_authority": 1, "bundle_id": None}
    tally = Tally()
    DelegationRun(delegation_case({"op": "delegate", **parties, "ok": answer}), tally).run()
    assert (tally.by_law["law 7, self-delegation"], tally.otherwise) == (1, [])


@pytest.mark.parametrize(
    "case",
    [
        delegation_case({"op": "verify_coherence", "ok": ["session 0"]}),
        delegation_case({"op": "record_native", "authority": 1, "session_id": 0, "err": {"type": "refused"}}),
        delegation_case({"op": "link", "left": "a", "right": "b", "linked": "c", "ok": {"protocol_ids": []}}),
        delegation_case(delegations=1),
        delegation_case(final=[{"authority": 1, "footprint": None}]),
    ],
)
def test_any_other_difference_in_delegations_is_found(case: dict[str, Any]) -> None:
    tally = Tally()
    DelegationRun(case, tally).run()
    assert len(tally.otherwise) == 1


def test_people_get_tables() -> None:
    result = run(TELLTALE)
    assert result.exit_code == 0
    assert "otherwise" in result.stdout
    assert "aura 2.9" in result.stdout


def test_the_model_answers_as_the_reference_was_recorded() -> None:
    for case in read_cases(TELLTALE):
        reference = Reference(case["sessions"])
        for step in case["steps"]:
            recorded = {name: step[name] for name in ("ok", "err") if name in step}
            assert reference.answer(step) == recorded, (case["case"], step)
        assert reference.finals() == case["final"]


def test_drawn_traces_differ_by_law_only() -> None:
    tally = Tally()
    for seed in range(400):
        CaseRun(draw_case(seed, Random(seed)), tally).run()
    assert tally.otherwise == []
    assert all(tally.by_law[law] for law in ("law 1", "law 2", "law 4", "law 6", "telltale 2.10", "aura 2.9"))


def _spoil_result(case: dict[str, Any]) -> None:
    step = next(step for step in case["steps"] if step["op"] == "claim" and "ok" in step)
    step["ok"]["owner_id"] = "mallory"


def _spoil_error(case: dict[str, Any]) -> None:
    step = next(step for step in case["steps"] if step.get("err", {}).get("type") == "transfer_pending")
    step["err"]["claim_id"] += 1


def _spoil_success(case: dict[str, Any]) -> None:
    step = next(step for step in case["steps"] if step.get("err", {}).get("type") == "stale_capability")
    del step["err"]
    step["ok"] = None


def _spoil_state(case: dict[str, Any]) -> None:
    case["final"][0]["status"] = {"status": "closed"}


def _spoil_audit_order(case: dict[str, Any]) -> None:
    audit = case["final"][0]["audit"]
    audit[0], audit[1] = audit[1], audit[0]


def _spoil_audit_reason(case: dict[str, Any]) -> None:
    record = next(each for each in case["final"][0]["audit"] if each["event"] == "invalidated")
    record["reason"] = "other"


def _drop_audit_record(case: dict[str, Any]) -> None:
    audit = case["final"][0]["audit"]
    audit.remove(next(each for each in audit if each["event"] == "committed"))


@pytest.mark.parametrize(
    "spoil",
    [
        _spoil_result,
        _spoil_error,
        _spoil_success,
        _spoil_state,
        _spoil_audit_order,
        _spoil_audit_reason,
        _drop_audit_record,
    ],
)
def test_a_difference_fails_the_program(spoil: Callable[[dict[str, Any]], None], tmp_path: Path) -> None:
    case = next(read_cases(TELLTALE))
    spoil(case)
    path = tmp_path / "spoilt.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(case).encode()))
    result = run(path)
    assert result.exit_code == 1
    assert "case 0" in result.stdout


@pytest.mark.parametrize(
    "content",
    [b"not gzip", gzip.compress(b"not json"), gzip.compress(b"[]"), gzip.compress(b'{"case": 1}')],
    # What is compressed holds the time.
    ids=["no gzip", "no JSON", "a list", "a case without commands"],
)
def test_what_is_no_trace_is_wrong_input(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl.gz"
    path.write_bytes(content)
    with pytest.raises(TraceError):
        list(read_cases(path))
    result = run(path)
    assert result.exit_code == 2
    assert "trace.jsonl.gz" in result.stderr


def test_traces_of_another_kind_are_wrong_input(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"case": 0, "steps": [], "final": []}\n'))
    assert run(path).exit_code == 2
    assert run("missing.jsonl.gz").exit_code == 2
