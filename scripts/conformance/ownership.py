"""Compares a journal with the reference runtime, command by command, on one recorded case."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from itertools import takewhile, zip_longest
from typing import Any, Final

from muniment.domain import CommandRefused, OwnershipCapability, Policy, ReadinessWitness
from muniment.domain.session import MAX_RECORDED_REFUSALS
from muniment.journal import Journal
from muniment.projections import AuditRecord
from muniment.scripts.conformance.traces import Json, Translation, give, open_sessions, reason_to_theirs

COMPARED: Final = ("commands", "final states", "audit records")

LAWS: Final = {
    "law 1": "a generation is never reused: after a release and a new claim ours goes on, the reference's restarts",
    "law 2": "a capability is live only if its scope equals too: the reference accepts one with a forged scope",
    "law 4": "witnesses end with the ownership they were issued under: the reference keeps them outstanding",
    "law 6": "every refusal of a stale, forged or spent artifact is recorded, and repeats of it once: the reference "
    "records eight kinds, and every repeat",
    "telltale 2.10": "every receipt ends on the audit trail: the reference drops a staged one in silence where its "
    "owner dies",
    "aura 2.9": "under Policy.reference() a claim by the live owner's label is answered with the live capability: "
    "telltale refuses it",
}
"""Why a difference is right, by the rule that demands it."""

_RECORDS: Final = {
    "claim": 1,
    "release": 1,
    "begin_transfer": 1,
    "commit_transfer": 3,
    "rollback_transfer": 1,
    "attenuate": 2,
    "issue_witness": 1,
    "consume_witness": 1,
    "owner_died": 2,
    "abandon_transfer": 3,
    "fail_transfer_commit": 2,
    "validate": 0,
}
"""How many records the reference's trail gains by each command that it accepts (telltale 2.16)."""

_ARGUMENTS: Final = {
    "ownership_capability": "capability",
    "ownership_receipt": "receipt",
    "readiness_witness": "witness",
}


@dataclass
class Tally:
    """What came of the comparisons.

    Attributes:
        matched: comparisons without a difference, by what was compared.
        lawful: comparisons that differ by law, by what was compared.
        failed: comparisons that differ otherwise, by what was compared.
        by_law: differences that a law demands, by the law.
        otherwise: all other differences, described.
    """

    matched: Counter[str] = field(default_factory=Counter)
    lawful: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    by_law: Counter[str] = field(default_factory=Counter)
    otherwise: list[str] = field(default_factory=list)

    def match(self, what: str) -> None:
        """Count a comparison without a difference."""
        self.matched[what] += 1

    def law(self, what: str, law: str) -> None:
        """Count a difference that a law demands."""
        self.lawful[what] += 1
        self.by_law[law] += 1

    def differ(self, what: str, where: str, theirs: object, ours: object) -> None:
        """Count any other difference."""
        self.failed[what] += 1
        self.otherwise.append(f"{where}: reference {json.dumps(theirs)}, ours {json.dumps(ours)}")


class CaseRun:
    """One case, replayed through a fresh journal in step with the reference.

    Where a law makes us refuse what the reference accepted, the command is given again with the live capability, so
    that the two go on side by side.
    """

    def __init__(self, case: Json, tally: Tally) -> None:
        self._case = case
        self._tally = tally
        self._translation = Translation(str)
        # The reference's live capabilities, and the sessions that were ever claimed.
        self._live: dict[int, Json] = {}
        self._claimed: set[int] = set()
        # Witnesses whose fate differs from now on, and the law that parted the two.
        self._parted: dict[ReadinessWitness, str] = {}
        # Scopes that the reference logs as they were presented.
        self._forged_scopes: list[Json] = []
        # What is left of the reference's trail of each session.
        self._trails = {final["session_id"]: list(final["audit"]) for final in case["final"]}

    def run(self) -> None:
        """Replay the case, and compare."""
        with Journal.open("memory://", policy=Policy.reference()) as journal:
            self._journal = journal
            open_sessions(journal, self._case, self._translation)
            for number, step in enumerate(self._case["steps"]):
                self._step(step, f"case {self._case['case']}, step {number} ({step['op']})")
            for final in self._case["final"]:
                self._final(final, f"case {self._case['case']}, session {final['session_id']}")

    def _step(self, step: Json, where: str) -> None:
        before = self._journal.head()
        result, ours = self._give(step)
        theirs = {"err": step["err"]} if "err" in step else {"ok": step["ok"]}
        law = None
        if ours == theirs:
            self._tally.match("commands")
        elif (law := self._law_of(step, ours)) is None:
            self._tally.differ("commands", where, theirs, ours)
        else:
            self._tally.law("commands", law)
        if "ok" in step:
            if law == "law 2":
                self._forged_scopes.append(step["capability"])
                result = self._give_again(step)
            self._learn(step, result, law)
        self._compare_trails(step, before, law, where)

    def _give(self, step: Json) -> tuple[Any, Json]:
        try:
            result = give(self._journal, step, self._translation)
        except CommandRefused as error:
            return None, {"err": self._translation.error(error, step)}
        if step["op"] == "claim" and isinstance(result, OwnershipCapability) and isinstance(step.get("ok"), dict):
            self._translation.offsets[result.session_id] = result.generation - step["ok"]["generation"]
        return result, {"ok": None if result is None else self._translation.derive(result)}

    def _give_again(self, step: Json) -> Any:
        live = self._translation.to_ours(self._live[step["capability"]["session_id"]])
        return give(self._journal, step, self._translation, capability=live)

    def _law_of(self, step: Json, ours: Json) -> str | None:
        """The law that makes us answer something else than the reference, if one does."""
        error = ours.get("err", {})
        if self._presents_forged_scope(step) and error.get("type") == "stale_capability":
            return "law 2"
        if step["op"] == "claim" and step.get("err", {}).get("type") == "already_claimed":
            live = self._live.get(step["session_id"])
            return "aura 2.9" if live and live["owner_id"] == step["owner_id"] and ours == {"ok": live} else None
        if step["op"] != "consume_witness":
            return None
        if "ok" in step and error.get("reason") == "live ownership no longer matches witness":
            self._parted[self._translation.to_ours(step["witness"])] = "law 4"
        # The session tells witnesses by their ids, whatever else the presented one says.
        session_id = self._translation.session(step["capability"]["session_id"])
        presented = (session_id, step["witness"]["witness_id"])
        laws = {(each.session_id, self._their_id(each)): law for each, law in self._parted.items()}
        laws |= {(each.session_id, each.witness_id): law for each, law in self._parted.items()}
        return laws.get(presented)

    def _presents_forged_scope(self, step: Json) -> bool:
        presented: Json | None = step.get("capability")
        live = None if presented is None else self._live.get(presented["session_id"])
        if presented is None or live is None:
            return False
        return live != presented and live == {**presented, "scope": live["scope"]}

    def _learn(self, step: Json, result: Any, law: str | None) -> None:
        """Follow what the reference did: its live capabilities, and which artifacts are counterparts."""
        op, answer = step["op"], step["ok"]
        if isinstance(answer, dict) and result is not None:
            self._translation.learn(answer, result)
            if law == "law 2" and isinstance(result, ReadinessWitness):
                self._parted[result] = "law 2"
        if op in ("claim", "attenuate", "commit_transfer"):
            session_id = answer["session_id"]
            if op == "claim" and session_id in self._claimed:
                self._tally.by_law["law 1"] += 1
            self._claimed.add(session_id)
            self._live[session_id] = answer
        elif op in ("release", "close"):
            self._live.pop(step["capability"]["session_id"], None)
        elif op == "owner_died":
            self._live.pop(step["session_id"], None)
        elif op in ("abandon_transfer", "fail_transfer_commit"):
            self._live.pop(step["receipt"]["session_id"], None)

    def _final(self, final: Json, where: str) -> None:
        session_id = self._translation.session(final["session_id"])
        state = self._journal.sessions.state(session_id)
        to_theirs = self._translation.to_theirs
        status: Json = {"status": state.status.value}
        if state.status == "faulted":
            status["reason"] = str(state.terminal_reason)
        ours = {
            "status": status,
            "current": state.capability and to_theirs(state.capability),
            "pending": state.pending_receipt and to_theirs(state.pending_receipt),
            "terminal": state.terminal_reason and reason_to_theirs(state.terminal_reason),
        }
        for name, value in ours.items():
            if final[name] == value:
                self._tally.match("final states")
            else:
                self._tally.differ("final states", f"{where}, {name}", final[name], value)
        void = [key for key, row in self._journal.witnesses.items() if row.status == "void"]
        laws = {self._their_id(witness): law for witness, law in self._parted.items()}
        outstanding = {each["witness_id"]: each for each in final["outstanding_witnesses"]}
        laws |= {
            number: "law 4"
            for number, each in outstanding.items()
            if (session_id, self._translation.to_ours(each).witness_id) in void
        } | laws
        self._compare_witnesses(
            f"{where}, outstanding witnesses",
            outstanding,
            {self._their_id(each): to_theirs(each) for each in state.outstanding_witnesses},
            laws,
        )
        consumed = dict.fromkeys(final["consumed_witnesses"])
        self._compare_witnesses(
            f"{where}, consumed witnesses",
            consumed,
            {self._their_id(each): None for each in state.consumed_witnesses},
            laws,
        )
        for record in self._trails[final["session_id"]]:
            self._tally.differ("audit records", where, record, None)

    def _their_id(self, witness: ReadinessWitness) -> int:
        return int(self._translation.to_theirs(witness)["witness_id"])

    def _compare_witnesses(
        self, where: str, theirs: dict[int, Any], ours: dict[int, Any], laws: dict[int, str]
    ) -> None:
        if theirs == ours:
            self._tally.match("final states")
            return
        different = [each for each in theirs.keys() | ours.keys() if each not in ours or each not in theirs]
        different += [each for each in theirs.keys() & ours.keys() if theirs[each] != ours[each]]
        if any(each not in laws for each in different):
            self._tally.differ("final states", where, sorted(theirs), sorted(ours))
            return
        self._tally.lawful["final states"] += 1
        self._tally.by_law.update(laws[each] for each in different)

    def _compare_trails(self, step: Json, before: int, law: str | None, where: str) -> None:
        """Compare what one command adds to both trails."""
        addressed: Json = step.get("capability") or step.get("receipt") or step
        number = addressed["session_id"]
        session_id = self._translation.session(number)
        trail = self._trails.get(number, [])
        count = _RECORDS.get(step["op"], 0) if "ok" in step else int(_is_logged(step))
        theirs, trail[:] = trail[:count], trail[count:]
        ours = [self._to_trail(record, step) for record in self._journal.audit.records(session_id, after=before)]
        extras = [record for record in ours if record not in theirs and _law_of_extra(record)]
        for extra in extras:
            self._tally.law("audit records", _law_of_extra(extra) or "")
        ours = [record for record in ours if record not in extras]
        if not ours and law is None and _is_logged(step) and self._is_repeat(session_id, before, step):
            law = "law 6"
        for their, our in zip_longest(theirs, ours):
            if their == our:
                self._tally.match("audit records")
            elif law is not None or self._differs_by_forged_scope(their, our):
                self._tally.law("audit records", law or "law 2")
            else:
                self._tally.differ("audit records", where, their, our)

    def _is_repeat(self, session_id: str, before: int, step: Json) -> bool:
        """Whether our trail had this refusal already, with nothing accepted since, or is full."""
        argument = "witness" if "witness" in step else "receipt"
        presented = self._translation.to_ours(step[argument])
        records = self._journal.at(position=before).audit.records(session_id)
        if sum(record.event == "rejected" for record in records) >= MAX_RECORDED_REFUSALS:
            return True
        latest = takewhile(lambda record: record.event == "rejected", reversed(records))
        return any(record.artifact == presented for record in latest)

    def _to_trail(self, record: AuditRecord, step: Json) -> Json:
        """One of our records as the reference's trail should have it.

        Of a refusal, that is what was presented in this step, however it was made up.
        """
        if record.event == "rejected":
            value = step[_ARGUMENTS[record.kind.value]]
        else:
            value = self._translation.to_theirs(record.artifact)
        artifact = {"kind": record.kind.value, "value": value}
        return {"event": record.event.value, "artifact": artifact, "reason": record.reason}

    def _differs_by_forged_scope(self, theirs: Json | None, ours: Json | None) -> bool:
        """Whether the reference logged the scope that was presented, where ours logs the one that was live."""
        if theirs is None or ours is None or theirs["artifact"]["value"] not in self._forged_scopes:
            return False
        return all(theirs[name] == ours[name] for name in ("event", "reason"))


def _is_logged(step: Json) -> bool:
    """Whether the reference's answer is one of the eight refusals that it logs (telltale 2.0)."""
    error = step.get("err", {}).get("type")
    if step["op"] in ("commit_transfer", "rollback_transfer"):
        return error in ("transfer_not_pending", "receipt_mismatch")
    return step["op"] == "consume_witness" and error in ("witness_consumed", "invalid_witness")


def _law_of_extra(record: Json) -> str | None:
    """The law that puts a record into our trail which the reference's lacks."""
    if record["event"] == "rejected":
        return "law 6"
    if record["event"] == "invalidated" and record["artifact"]["kind"] == "readiness_witness":
        return "law 4"
    if record["event"] == "rolled_back" and record["reason"] == "owner died":
        return "telltale 2.10"
    return None
