"""Compares a journal with the reference's runtime: sessions that are started, ended and owned, by three tasks."""

from __future__ import annotations

from typing import Any, Final

from muniment.domain import (
    AlreadyClaimed,
    CapabilitySessionMismatch,
    CommandRefused,
    MissingTaskBinding,
    OwnershipCapability,
    Policy,
    SessionAlreadyOpen,
    SessionNotFound,
    SessionTerminal,
    StaleCapability,
    TaskAlreadyBound,
    Unclaimed,
)
from muniment.domain.scope import scope_from_json, scope_to_json
from muniment.journal import Journal
from muniment.scripts.conformance.ownership import Tally
from muniment.scripts.conformance.traces import Json, TraceError

COMPARED: Final = ("commands", "final states")

_NO_CANCEL: Final = "cancelling what is not there is an error"

LAWS: Final = {
    "law 2": "a capability is of one session: shown for another it is refused as such, where the reference may first "
    "say that the other session has no owner, or another one",
    "law 5": "a finished session stays finished, and is refused as such: the reference forgets it, and says that "
    "nobody owns it",
    _NO_CANCEL: "the reference answers that nothing was there",
}
"""Why a difference is right, by the rule that demands it."""

_FORGOTTEN: Final = ("missing_owner",)
_CHECKED_BEFORE: Final = ("missing_owner", "owner_mismatch")


class RuntimeRun:
    """One case, replayed through a fresh journal in step with the reference.

    Args:
        case: the case.
        tally: what comes of the comparisons.
    """

    def __init__(self, case: Json, tally: Tally) -> None:
        self._case = case
        self._tally = tally

    def run(self) -> None:
        """Replay the case, and compare."""
        with Journal.open("memory://", policy=Policy.reference()) as journal:
            for number, step in enumerate(self._case["steps"]):
                self._step(journal, step, f"case {self._case['case']}, step {number} ({step['op']})")
            for final in self._case["final"]:
                self._compare_final(journal, final)
            self._compare("final states", "active sessions", self._case["active_sessions"], len(_open_in(journal)))

    def _step(self, journal: Journal, step: Json, where: str) -> None:
        theirs = {"err": step["err"]} if "err" in step else {"ok": step["ok"]}
        error: CommandRefused | None = None
        try:
            ours: Json = {"ok": _give(journal, step)}
        except CommandRefused as refusal:
            error, ours = refusal, {"err": _error(refusal, step)}
        if (law := _law_of(step, error)) is not None:
            self._tally.law("commands", law)
        else:
            self._compare("commands", where, theirs, ours)

    def _compare_final(self, journal: Journal, final: Json) -> None:
        session_id = _name(final["session_id"])
        row = journal.owners.get(session_id)
        live = None if row is None or row.owner is None else journal.sessions.state(session_id).capability
        ours = None if live is None else _to_theirs(live)
        self._compare("final states", f"case {self._case['case']}, session {session_id}", final["owner"], ours)

    def _compare(self, what: str, where: str, theirs: object, ours: object) -> None:
        if theirs == ours:
            self._tally.match(what)
        else:
            self._tally.differ(what, where, theirs, ours)


def _law_of(step: Json, error: CommandRefused | None) -> str | None:
    """The law that makes us answer something else than the reference, if one does."""
    theirs = step.get("err", {}).get("type")
    match error:
        case CapabilitySessionMismatch() if theirs in _CHECKED_BEFORE:
            return "law 2"
        case SessionTerminal() if theirs in _FORGOTTEN:
            return "law 5"
        case SessionTerminal() | SessionNotFound() if step["op"] == "cancel" and step["ok"] is False:
            return _NO_CANCEL
    return None


def _give(journal: Journal, step: Json) -> Any:
    """Give one command of a trace to a journal; return what it answers, as the reference writes it."""
    sessions, task, now = journal.sessions, f"task-{step['task']}", step["now_ms"]
    named = _name(step["session_id"]) if "session_id" in step else ""
    match step["op"]:
        case "start":
            return sessions.open(named, timeout_ms=step["timeout_ms"], now=now, binding=task)
        case "end":
            running = sessions.current(task)
            sessions.end(binding=task, now=now)
            return _number(running)
        case "cancel":
            sessions.cancel(named, "cancelled", now=now)
            return True
        case "current":
            return _number(sessions.current(task))
        case "is_timed_out":
            return sessions.current(task) in sessions.timed_out(now)
        case "claim":
            return _to_theirs(sessions.claim(named, step["owner_id"]))
    presented = _to_ours(step["capability"])
    match step["op"]:
        case "ensure":
            return sessions.check(presented, session_id=named)
        case "release":
            return sessions.release(presented, session_id=named)
        case "transfer":
            scope = scope_from_json(step["scope"])
            return _to_theirs(sessions.transfer(presented, step["to_owner_id"], scope, session_id=named))
    raise TraceError(f"not a command of a runtime's sessions: {step['op']}")


def _error(error: CommandRefused, step: Json) -> Json:
    """What the reference should have answered where we raised this."""
    if isinstance(error, MissingTaskBinding):
        return {"type": "no_bound_session"}
    session_id: int | None = _number(error.session_id)  # type: ignore[attr-defined]
    answer: Json = {"session_id": session_id}
    match error:
        case TaskAlreadyBound():
            return answer | {"type": "task_already_bound"}
        case SessionAlreadyOpen():
            return answer | {"type": "session_already_exists"}
        case SessionNotFound() | SessionTerminal() | Unclaimed():
            return answer | {"type": "missing_owner"}
        case AlreadyClaimed(owner=owner):
            return answer | {
                "type": "owner_conflict",
                "existing_owner": owner,
                "requested_owner": step["owner_id"],
            }
        case CapabilitySessionMismatch():
            return answer | {
                "type": "capability_session_mismatch",
                "expected_owner": error.owner,
                "capability_session_id": _number(error.capability_session_id),
            }
        case StaleCapability() if error.owner != error.live_owner:
            return answer | {"type": "owner_mismatch", "expected_owner": error.owner}
        case StaleCapability():
            return answer | {
                "type": "capability_mismatch",
                "expected_owner": error.owner,
                "current_generation": error.live_generation,
            }
    return answer | {"type": error.code}


def _open_in(journal: Journal) -> list[str]:
    return [session_id for session_id, row in journal.sessions.items() if row.status.is_open]


def _name(number: int) -> str:
    return f"s-{number}"


def _number(session_id: str | None) -> int | None:
    return None if session_id is None else int(session_id.removeprefix("s-"))


def _to_ours(theirs: Json) -> OwnershipCapability:
    scope = scope_from_json(theirs["scope"])
    return OwnershipCapability(_name(theirs["session_id"]), theirs["owner_id"], theirs["generation"], scope)


def _to_theirs(ours: OwnershipCapability) -> Json:
    return {
        "session_id": _number(ours.session_id),
        "owner_id": ours.owner,
        "generation": ours.generation,
        "scope": scope_to_json(ours.scope),
    }
