"""Recorded command traces of the reference runtimes, and how their values read in ours.

A trace is a gzipped file of JSON lines. A line is one case: a fresh system, the commands that were given to it, what it
answered to each, and its state at the end.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeAlias

from muniment.domain import (
    AlreadyClaimed,
    Artifact,
    CancellationWitness,
    CommandRefused,
    InvalidWitness,
    OwnershipCapability,
    OwnershipReceipt,
    ReadinessWitness,
    ReceiptMismatch,
    ScopeViolation,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TerminalReason,
    TransferNotPending,
    TransferPending,
    Unclaimed,
    WitnessConsumed,
)
from muniment.domain.scope import scope_from_json, scope_to_json
from muniment.journal import Journal

Json: TypeAlias = dict[str, Any]


class TraceError(Exception):
    """The file is not a trace that can be compared."""


def read_cases(path: Path) -> Iterator[Json]:
    """Read the cases of a trace.

    Raises:
        TraceError: the file cannot be read, or is something else.
    """
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                case = json.loads(line)
                if not isinstance(case, dict) or not {"case", "steps", "final"} <= case.keys():
                    raise TraceError(f"{path}, line {number}: not a case of a trace")
                yield case
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise TraceError(f"{path}: {error}") from error


class Translation:
    """Artifacts of one case, theirs and ours, as they come up.

    The reference's generations begin at 0, ours at 1; and where the reference begins again, ours go on. So every
    artifact that a command answered is remembered with its counterpart, and what was made up is shifted.

    Args:
        session_name: gives a session of the trace its id in the journal.
    """

    def __init__(self, session_name: Callable[[int], str]) -> None:
        self.session_name = session_name
        self.offsets: dict[str, int] = {}
        self._numbers: dict[str, int] = {}
        self._ours: dict[str, Artifact] = {}
        self._theirs: dict[Artifact, Json] = {}

    def session(self, number: int) -> str:
        """Our id of a session."""
        name = self.session_name(number)
        self._numbers[name] = number
        return name

    def learn(self, theirs: Json, ours: Artifact) -> None:
        """Remember that two artifacts are each other's counterpart."""
        self._ours[_canonical(theirs)] = ours
        self._theirs[ours] = theirs

    def to_ours(self, theirs: Json) -> Any:
        """Our counterpart of a capability, receipt or readiness witness that was presented."""
        known = self._ours.get(_canonical(theirs))
        if known is not None:
            return known
        session_id = self.session(theirs["session_id"])
        offset = self.offsets.get(session_id, 1)
        scope = scope_from_json(theirs["scope"])
        made_up: Artifact
        if "claim_id" in theirs:
            made_up = OwnershipReceipt(
                session_id,
                theirs["claim_id"],
                theirs["from_owner_id"],
                theirs["from_generation"] + offset,
                theirs["to_owner_id"],
                theirs["to_generation"] + offset,
                scope,
            )
        elif "witness_id" in theirs:
            generation = theirs["generation"] + offset
            made_up = ReadinessWitness(
                theirs["witness_id"], session_id, theirs["owner_id"], generation, scope, theirs["predicate_ref"]
            )
        else:
            made_up = OwnershipCapability(session_id, theirs["owner_id"], theirs["generation"] + offset, scope)
        return made_up

    def to_theirs(self, ours: Artifact) -> Json:
        """The reference's counterpart of an artifact that a command answered."""
        return self._theirs.get(ours) or self.derive(ours)

    def derive(self, ours: Any) -> Json:
        """What the reference should have answered where we answered this."""
        session_id = self._numbers[ours.session_id]
        if isinstance(ours, OwnershipReceipt):
            return {
                "session_id": session_id,
                "claim_id": ours.claim_id,
                "from_owner_id": ours.from_owner,
                "from_generation": self.generation(ours.session_id, ours.from_generation),
                "to_owner_id": ours.to_owner,
                "to_generation": self.generation(ours.session_id, ours.to_generation),
                "scope": scope_to_json(ours.scope),
            }
        generation = self.generation(ours.session_id, ours.generation)
        about: Json = {"session_id": session_id, "owner_id": ours.owner, "generation": generation}
        if isinstance(ours, CancellationWitness):
            return about | {"witness_id": ours.witness_id, "reason": reason_to_theirs(ours.reason)}
        about["scope"] = scope_to_json(ours.scope)
        if isinstance(ours, ReadinessWitness):
            return about | {"witness_id": ours.witness_id, "predicate_ref": ours.predicate}
        return about

    def _presented_generation(self, error: StaleCapability, step: Json) -> int | None:
        """The generation that a step presented, if it is the one that our error speaks of."""
        theirs = step.get("capability")
        if theirs is None or self.to_ours(theirs).generation != error.generation:
            return None
        return int(theirs["generation"])

    def generation(self, session_id: str, ours: int) -> int:
        """The reference's counterpart of one of our generations of the present tenure."""
        return ours - self.offsets.get(session_id, 1)

    def error(self, error: CommandRefused, step: Json) -> Json:
        """What the reference should have answered to a command where we raised this."""
        session_id = self._numbers[error.session_id]  # type: ignore[attr-defined]
        answer: Json = {"session_id": session_id}
        match error:
            case SessionNotFound():
                answer["type"] = "session_not_found"
            case SessionTerminal(reason=reason):
                answer |= {"type": "terminal", "reason": None if reason is None else reason_to_theirs(reason)}
            case AlreadyClaimed(owner=owner):
                answer |= {"type": "already_claimed", "current_owner_id": owner}
            case Unclaimed():
                answer["type"] = "unclaimed"
            case StaleCapability():
                live = self.generation(error.session_id, error.live_generation)
                presented = self._presented_generation(error, step)
                answer |= {
                    "type": "stale_capability",
                    "owner_id": error.owner,
                    "expected_generation": live if error.generation is None else presented,
                    "actual_generation": live,
                }
            case ScopeViolation():
                answer |= {
                    "type": "scope_violation",
                    "owner_id": error.owner,
                    "required": scope_to_json(error.required),
                    "actual": scope_to_json(error.actual),
                }
            case TransferPending(claim_id=claim_id):
                answer |= {"type": "transfer_pending", "claim_id": claim_id}
            case TransferNotPending():
                answer["type"] = "transfer_not_pending"
            case ReceiptMismatch(claim_id=claim_id):
                answer |= {"type": "receipt_mismatch", "claim_id": claim_id}
            case InvalidWitness(witness_id=witness_id, reason=reason):
                answer |= {"type": "invalid_witness", "witness_id": witness_id, "reason": reason}
            case WitnessConsumed(witness_id=witness_id):
                answer |= {"type": "witness_consumed", "witness_id": witness_id}
            case _:
                answer["type"] = error.code
        return answer


def reason_to_theirs(reason: TerminalReason) -> Json:
    """A terminal reason as the reference writes it."""
    fields = {"kind": reason.kind, "owner_id": reason.owner, "claim_id": reason.claim_id, "reason": reason.reason}
    return {name: value for name, value in fields.items() if value is not None}


def open_sessions(journal: Journal, case: Json, translation: Translation) -> None:
    """Open the sessions that a case begins with."""
    for number in range(case["sessions"]):
        journal.sessions.open(translation.session(number))


def give(journal: Journal, step: Json, translation: Translation, *, capability: Any = None) -> Any:
    """Give one command of a trace to a journal.

    Args:
        journal: the journal.
        step: the command, with its arguments.
        translation: turns the presented artifacts into ours.
        capability: presented in the place of the step's own.

    Returns:
        What our command answers.

    Raises:
        CommandRefused: our journal refuses.
        TraceError: the command is none of session ownership.
    """
    sessions, op = journal.sessions, step["op"]
    try:
        if op == "claim":
            session_id = translation.session(step["session_id"])
            return sessions.claim(session_id, step["owner_id"], scope_from_json(step["scope"]))
        if op == "owner_died":
            return sessions.owner_died(translation.session(step["session_id"]), step["owner_id"])
        if "receipt" in step:
            receipt = translation.to_ours(step["receipt"])
            if op == "fail_transfer_commit":
                return sessions.fail_transfer_commit(receipt, step["reason"])
            return _BY_RECEIPT[op](sessions, receipt)
        presented = capability or translation.to_ours(step["capability"])
        if op == "consume_witness":
            return sessions.consume_witness(presented, translation.to_ours(step["witness"]))
        return _BY_CAPABILITY[op](sessions, presented, step)
    except KeyError as missing:
        raise TraceError(f"not a command of session ownership: {op} ({missing})") from missing


_BY_RECEIPT: dict[str, Callable[[Any, OwnershipReceipt], Any]] = {
    "commit_transfer": lambda sessions, receipt: sessions.commit_transfer(receipt),
    "rollback_transfer": lambda sessions, receipt: sessions.rollback_transfer(receipt),
    "abandon_transfer": lambda sessions, receipt: sessions.abandon_transfer(receipt),
}
_BY_CAPABILITY: dict[str, Callable[[Any, OwnershipCapability, Json], Any]] = {
    "release": lambda sessions, presented, _: sessions.release(presented),
    "validate": lambda sessions, presented, _: sessions.check(presented),
    "close": lambda sessions, presented, _: sessions.close(presented),
    "issue_witness": lambda sessions, presented, step: sessions.issue_witness(presented, step["predicate_ref"]),
    "attenuate": lambda sessions, presented, step: sessions.attenuate(presented, scope_from_json(step["scope"])),
    "begin_transfer": lambda sessions, presented, step: sessions.begin_transfer(
        presented, step["to_owner_id"], scope_from_json(step["scope"])
    ),
}


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True)
