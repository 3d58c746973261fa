"""Replays recorded command traces of the reference runtime through a journal, and compares everything.

Every result, every error with its fields, the final state and the audit trail of every session. A difference is either
one that a law of the journal demands, or one that fails the program.

    python -m muniment.scripts.conformance FILE...
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click
from muniment.domain import CommandRefused, OwnershipCapability, Policy, ReadinessWitness
from muniment.journal import Journal
from muniment.scripts.output import progress_bar, show, table
from muniment.scripts.traces import Json, TraceError, Translation, give, open_sessions, read_cases, reason_to_theirs

LAWS: Final = {
    "law 1": "a generation is never reused: after a release and a new claim ours goes on, the reference's restarts",
    "law 2": "a capability is live only if its scope equals too: the reference accepts one with a forged scope",
    "law 4": "witnesses end with the ownership they were issued under: the reference keeps them outstanding",
    "law 6": "every refusal of a stale, forged or spent artifact is recorded, and repeats of it once: the reference "
    "records eight kinds, and every repeat",
    "aura 2.9": "under Policy.reference() a claim by the live owner's label is answered with the live capability: "
    "telltale refuses it",
}
"""Why a difference is right, by the rule that demands it."""


@dataclass
class Tally:
    """What came of the comparisons.

    Attributes:
        matched: comparisons without a difference, by what was compared.
        by_law: differences that a law demands, by the law.
        lawful: comparisons that differ by law, by what was compared.
        otherwise: all other differences, described.
    """

    matched: Counter[str] = field(default_factory=Counter)
    lawful: Counter[str] = field(default_factory=Counter)
    by_law: Counter[str] = field(default_factory=Counter)
    otherwise: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)

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
        self.case = case
        self.tally = tally
        self.translation = Translation(str)
        self.live: dict[int, Json] = {}
        self.claimed: set[int] = set()
        self.altered: dict[ReadinessWitness, str] = {}

    def run(self) -> None:
        """Replay the case, and compare."""
        with Journal.open("memory://", policy=Policy.reference()) as journal:
            open_sessions(journal, self.case, self.translation)
            for number, step in enumerate(self.case["steps"]):
                self._step(journal, step, f"case {self.case['case']}, step {number} ({step['op']})")
            for final in self.case["final"]:
                self._final(journal, final, f"case {self.case['case']}, session {final['session_id']}")

    def _step(self, journal: Journal, step: Json, where: str) -> None:
        result, ours = self._give(journal, step)
        theirs = {"err": step["err"]} if "err" in step else {"ok": step["ok"]}
        law = None
        if ours == theirs:
            self.tally.match("commands")
        elif (law := self._law_of(step, ours)) is None:
            self.tally.differ("commands", where, theirs, ours)
        else:
            self.tally.law("commands", law)
        if "ok" in step:
            if law == "law 2":
                result = give(journal, step, self.translation, capability=self._live_capability(step))
            self._learn(step, result, law)

    def _give(self, journal: Journal, step: Json) -> tuple[Any, Json]:
        try:
            result = give(journal, step, self.translation)
        except CommandRefused as error:
            return None, {"err": self.translation.error(error)}
        if step["op"] == "claim" and isinstance(result, OwnershipCapability) and isinstance(step.get("ok"), dict):
            self.translation.offsets[result.session_id] = result.generation - step["ok"]["generation"]
        return result, {"ok": None if result is None else self.translation.to_theirs(result)}

    def _law_of(self, step: Json, ours: Json) -> str | None:
        """The law that makes us answer something else than the reference, if one does."""
        if self._presents_forged_scope(step) and ours.get("err", {}).get("type") == "stale_capability":
            return "law 2"
        if step["op"] == "claim" and step.get("err", {}).get("type") == "already_claimed":
            live = self.live.get(step["session_id"])
            return "aura 2.9" if live and live["owner_id"] == step["owner_id"] and ours == {"ok": live} else None
        if step["op"] == "consume_witness":
            witness = self.translation.to_ours(step["witness"])
            if witness in self.altered:
                return self.altered[witness]
            error = ours.get("err", {})
            if "ok" in step and error.get("reason") == "live ownership no longer matches witness":
                self.altered[witness] = "law 4"
                return "law 4"
        return None

    def _presents_forged_scope(self, step: Json) -> bool:
        presented: Json | None = step.get("capability")
        live = None if presented is None else self.live.get(presented["session_id"])
        if presented is None or live is None:
            return False
        return live != presented and live == {**presented, "scope": live["scope"]}

    def _live_capability(self, step: Json) -> Any:
        return self.translation.to_ours(self.live[step["capability"]["session_id"]])

    def _learn(self, step: Json, result: Any, law: str | None) -> None:
        """Follow what the reference did: its live capabilities, and which artifacts are counterparts."""
        op, answer = step["op"], step["ok"]
        if isinstance(answer, dict) and result is not None:
            self.translation.learn(answer, result)
            if law == "law 2" and isinstance(result, ReadinessWitness):
                self.altered[result] = "law 2"
        if op in ("claim", "attenuate", "commit_transfer"):
            session_id = answer["session_id"]
            if op == "claim" and session_id in self.claimed and self._offset(session_id) != 1:
                self.tally.by_law["law 1"] += 1
            self.claimed.add(session_id)
            self.live[session_id] = answer
        elif op in ("release", "close"):
            self.live.pop(step["capability"]["session_id"], None)
        elif op == "owner_died":
            self.live.pop(step["session_id"], None)
        elif op in ("abandon_transfer", "fail_transfer_commit"):
            self.live.pop(step["receipt"]["session_id"], None)

    def _offset(self, number: int) -> int:
        return self.translation.offsets.get(self.translation.session(number), 1)

    def _final(self, journal: Journal, final: Json, where: str) -> None:
        session_id = self.translation.session(final["session_id"])
        state = journal.sessions.state(session_id)
        to_theirs = self.translation.to_theirs
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
            self._compare(f"{where}, {name}", final[name], value)
        outstanding = [to_theirs(witness) for witness in state.outstanding_witnesses]
        self._compare_witnesses(journal, where, "outstanding", final["outstanding_witnesses"], outstanding)
        consumed = [to_theirs(witness)["witness_id"] for witness in state.consumed_witnesses]
        self._compare_witnesses(journal, where, "consumed", final["consumed_witnesses"], consumed)
        self._compare_audit(journal, session_id, final["audit"], where)

    def _compare(self, where: str, theirs: object, ours: object) -> None:
        if theirs == ours:
            self.tally.match("final states")
        else:
            self.tally.differ("final states", where, theirs, ours)

    def _compare_witnesses(self, journal: Journal, where: str, what: str, theirs: list[Any], ours: list[Any]) -> None:
        if theirs == ours:
            self.tally.match("final states")
            return
        for one in [each for each in theirs if each not in ours] + [each for each in ours if each not in theirs]:
            law = self._law_of_witness(journal, one) if isinstance(one, dict) else self._law_of_id(where, one)
            if law is None:
                self.tally.differ("final states", f"{where}, {what} witnesses", theirs, ours)
                return
            self.tally.by_law[law] += 1
        self.tally.lawful["final states"] += 1

    def _law_of_witness(self, journal: Journal, theirs: Json) -> str | None:
        witness = self.translation.to_ours(theirs)
        if witness in self.altered:
            return self.altered[witness]
        row = journal.witnesses.get((witness.session_id, witness.witness_id))
        return "law 4" if row is not None and row.status == "void" else None

    def _law_of_id(self, where: str, witness_id: int) -> str | None:
        ids = {self.translation.to_theirs(witness)["witness_id"]: law for witness, law in self.altered.items()}
        return ids.get(witness_id)

    def _compare_audit(self, journal: Journal, session_id: str, theirs: list[Json], where: str) -> None:
        """Walk both trails. What only one of them has must be there, or be missing, by law."""
        ours = [
            {
                "event": record.event.value,
                "artifact": {"kind": record.kind.value, "value": self.translation.to_theirs(record.artifact)},
                "reason": record.reason,
            }
            for record in journal.audit.records(session_id)
        ]
        altered = [self.translation.to_theirs(witness) for witness in self.altered]
        seen: list[Json] = []
        mine = 0
        for record in theirs:
            while mine < len(ours) and ours[mine] != record and (law := _law_of_extra(ours[mine], altered)):
                self.tally.law("audit records", law)
                seen.append(ours[mine])
                mine += 1
            if mine < len(ours) and ours[mine] == record:
                self.tally.match("audit records")
                mine += 1
            elif record["event"] == "rejected" and record in seen:
                self.tally.law("audit records", "law 6")
            elif record["artifact"]["value"] in altered:
                self.tally.law("audit records", "law 2")
            else:
                self.tally.differ("audit records", where, record, ours[mine] if mine < len(ours) else None)
                return
            seen = [*seen, record] if record["event"] == "rejected" else []
        for extra in ours[mine:]:
            if law := _law_of_extra(extra, altered):
                self.tally.law("audit records", law)
            else:
                self.tally.differ("audit records", where, None, extra)


def _law_of_extra(record: Json, altered: list[Json]) -> str | None:
    """The law that puts a record into our trail which the reference's lacks."""
    if record["event"] == "rejected":
        return "law 6"
    if record["event"] == "invalidated" and record["artifact"]["kind"] == "readiness_witness":
        return "law 4"
    return "law 2" if record["artifact"]["value"] in altered else None


@click.command(help=__doc__)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def main(files: tuple[Path, ...], as_json: bool) -> None:
    """Compare, print the counts, and exit 1 if anything differs otherwise than by law."""
    tallies: dict[str, Tally] = {}
    try:
        for path in files:
            cases = list(read_cases(path))
            tally = tallies[str(path)] = Tally()
            with progress_bar(path.name) as progress:
                for done, case in enumerate(cases, 1):
                    CaseRun(case, tally).run()
                    progress(done, len(cases))
    except TraceError as error:
        raise click.UsageError(str(error)) from error
    if as_json:
        click.echo(json.dumps({path: _to_json(tally) for path, tally in tallies.items()}, indent=2))
    else:
        for name, tally in tallies.items():
            _show(name, tally)
    sys.exit(1 if any(tally.otherwise for tally in tallies.values()) else 0)


_COMPARED: Final = ("commands", "final states", "audit records")


def _to_json(tally: Tally) -> Json:
    return {
        "compared": {
            what: {"matched": tally.matched[what], "by_law": tally.lawful[what], "otherwise": tally.failed[what]}
            for what in _COMPARED
        },
        "by_law": {law: tally.by_law[law] for law in LAWS},
        "otherwise": tally.otherwise,
    }


def _show(path: str, tally: Tally) -> None:
    counts = [(what, tally.matched[what], tally.lawful[what], tally.failed[what]) for what in _COMPARED]
    show(table(path, ["compared", "matched", "differing by law", "differing otherwise"], counts))
    laws = [(law, tally.by_law[law], reason) for law, reason in LAWS.items() if tally.by_law[law]]
    if laws:
        show(table("Differences by law", ["law", "count", "why the difference is right"], laws))
    for difference in tally.otherwise[:20]:
        click.echo(difference)
    if len(tally.otherwise) > 20:
        click.echo(f"… and {len(tally.otherwise) - 20} more")


if __name__ == "__main__":
    main()
