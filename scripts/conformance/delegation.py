"""Compares a journal with the reference's reconfiguration controller, on one recorded case (aura 2.23 to 2.27)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from muniment.domain import (
    BundleNotFound,
    CommandRefused,
    ComposedBundle,
    DelegationOutcome,
    DuplicateBundle,
    Footprint,
    FootprintClass,
    IncompatibleInterfaces,
    InvalidInput,
    NotActiveHolder,
    OverlappingSessions,
)
from muniment.journal import Journal, Projections
from muniment.scripts.conformance.ownership import Tally
from muniment.scripts.conformance.traces import Json, TraceError

COMPARED: Final = ("commands", "footprints", "final states")

REPEAT: Final = "law 7, repeat"
STALE: Final = "law 7, stale delegator"
SELF: Final = "law 7, self-delegation"
PROTOCOLS: Final = "aura 6, O-38"

LAWS: Final = {
    REPEAT: "the last delegation given again is answered again: the reference gives a second receipt",
    STALE: "who is not the active holder gets NotActiveHolder: the reference answers one that delegated before with a "
    "coherence violation, or accepts it",
    SELF: "delegating to oneself is refused with SelfDelegation: the reference turns native into delegated in",
    PROTOCOLS: "a linked bundle has each protocol once: the reference doubles those that both parts have",
}
"""Why a difference is right, by the rule that demands it."""

_EMPTY: Final[Json] = {"native": [], "delegated_in": [], "delegated_out": []}


class DelegationRun:
    """One case, replayed through a fresh journal in step with the reference."""

    def __init__(self, case: Json, tally: Tally) -> None:
        self._case = case
        self._tally = tally
        # Receipts that the reference gave where ours did not.
        self._surplus = 0
        self._commands: dict[str, Callable[[Json], Any]] = {
            "record_native": self._record_native,
            "register_bundle": self._register_bundle,
            "link": self._link,
            "delegate": self._delegate,
            "verify_coherence": self._verify_coherence,
        }

    def run(self) -> None:
        """Replay the case, and compare."""
        with Journal.open("memory://") as journal:
            self._journal = journal
            steps = self._case["steps"]
            for number in sorted({step["session_id"] for step in steps if "session_id" in step}):
                journal.sessions.open(_session(number))
            for number, step in enumerate(steps):
                self._step(step, f"case {self._case['case']}, step {number} ({step['op']})")
            self._final()

    def _step(self, step: Json, where: str) -> None:
        if step["op"] not in self._commands:
            raise TraceError(f"not a command of delegation: {step['op']}")
        before = self._journal.head()
        theirs = {"err": step["err"]} if "err" in step else {"ok": step["ok"]}
        result: Any = None
        try:
            result = self._commands[step["op"]](step)
            ours = {"ok": self._to_theirs(result, before)}
        except (CommandRefused, InvalidInput) as error:
            ours = {"err": _error(error)}
        is_repeat = isinstance(result, DelegationOutcome) and self._journal.head() == before
        law = None
        if ours == theirs and not is_repeat:
            self._tally.match("commands")
        elif (law := self._law_of(step, ours, is_repeat=is_repeat)) is not None:
            self._tally.law("commands", law)
        else:
            self._tally.differ("commands", where, theirs, ours)
        if law in (REPEAT, STALE) and "ok" in step:
            self._surplus += 1
        if isinstance(result, DelegationOutcome) and law is None:
            self._compare_receipt(result, before, where)

    def _law_of(self, step: Json, ours: Json, *, is_repeat: bool) -> str | None:
        """The law that makes us answer something else than the reference, if one does."""
        error = ours.get("err", {})
        if step["op"] == "delegate":
            if is_repeat:
                return REPEAT if "ok" in step else None
            if error.get("type") == "self_delegation":
                return SELF if step["from_authority"] == step["to_authority"] else None
            # That it delegated the session before is why the reference does not simply say that it has no part in it.
            had = self._footprint(self._journal, step["from_authority"])["delegated_out"]
            is_stale = error.get("type") == "session_not_owned" and step["session_id"] in had
            answer = step.get("err", {}).get("type")
            return STALE if is_stale and answer in (None, "coherence_violation") else None
        if step["op"] == "link" and "ok" in step and "ok" in ours:
            once = list(dict.fromkeys(step["ok"]["protocol_ids"]))
            return PROTOCOLS if ours["ok"] == step["ok"] | {"protocol_ids": once} else None
        return None

    def _record_native(self, step: Json) -> None:
        self._journal.sessions.host(_session(step["session_id"]), _authority(step["authority"]))

    def _register_bundle(self, step: Json) -> None:
        bundle = step["bundle"]
        footprint = {name: frozenset(map(_session, numbers)) for name, numbers in bundle["footprint"].items()}
        self._journal.bundles.register(
            ComposedBundle(
                bundle["bundle_id"],
                tuple(bundle["protocol_ids"]),
                frozenset(bundle["exports"]),
                frozenset(bundle["imports"]),
                Footprint(**footprint),
            )
        )

    def _link(self, step: Json) -> ComposedBundle:
        return self._journal.bundles.link(step["left"], step["right"], step["linked"])

    def _delegate(self, step: Json) -> DelegationOutcome:
        parties = (_authority(step["from_authority"]), _authority(step["to_authority"]))
        return self._journal.sessions.delegate(_session(step["session_id"]), *parties, step["bundle_id"])

    def _verify_coherence(self, step: Json) -> list[Any]:
        return list(self._journal.coherence())

    def _to_theirs(self, result: Any, before: int) -> Any:
        if isinstance(result, ComposedBundle):
            return {
                "bundle_id": result.bundle_id,
                "protocol_ids": list(result.protocol_ids),
                "exports": sorted(result.exports),
                "imports": sorted(result.imports),
                "footprint": _footprint_to_theirs(result.footprint),
            }
        if isinstance(result, DelegationOutcome):
            then = self._journal.at(position=before)
            receipt = result.receipt
            giver, taker = _number(receipt.from_authority), _number(receipt.to_authority)
            return {
                "from_before": self._footprint(then, giver),
                "from_after": self._footprint(self._journal, giver),
                "to_before": self._footprint(then, taker),
                "to_after": self._footprint(self._journal, taker),
            }
        return result

    def _compare_receipt(self, result: DelegationOutcome, before: int, where: str) -> None:
        """Compare what the receipt says of its session with the tables before and after it."""
        receipt = result.receipt
        then = self._journal.at(position=before).footprints.of_session(receipt.session_id)
        now = self._journal.footprints.of_session(receipt.session_id)
        changed: dict[str, tuple[FootprintClass | None, FootprintClass | None]] = {
            name: (then.get(name), now.get(name)) for name in then | now if then.get(name) != now.get(name)
        }
        said = dict.fromkeys(receipt.cleared, (FootprintClass.DELEGATED_OUT, None)) | {
            receipt.from_authority: (receipt.from_before, receipt.from_after),
            receipt.to_authority: (receipt.to_before, receipt.to_after),
        }
        if changed == said:
            self._tally.match("footprints")
        else:
            self._tally.differ("footprints", where, str(changed), str(said))

    def _final(self) -> None:
        where = f"case {self._case['case']}"
        for final in self._case["final"]:
            # One that lost its last session has an empty footprint in the reference; ours says nothing of it.
            theirs, ours = final["footprint"] or _EMPTY, self._footprint(self._journal, final["authority"])
            if theirs == ours:
                self._tally.match("final states")
            else:
                self._tally.differ("final states", f"{where}, authority {final['authority']}", theirs, ours)
        given, recorded = self._case["delegations"], len(self._journal.delegations)
        if given == recorded:
            self._tally.match("final states")
        elif given == recorded + self._surplus:
            self._tally.law("final states", REPEAT)
        else:
            self._tally.differ("final states", f"{where}, delegations", given, recorded)

    def _footprint(self, tables: Projections, authority: int) -> Json:
        found = tables.footprints.get(_authority(authority))
        return dict(_EMPTY) if found is None else _footprint_to_theirs(found)


def _error(error: CommandRefused | InvalidInput) -> Json:
    """What the reference should have answered where we raised this."""
    match error:
        case NotActiveHolder():
            return {
                "type": "session_not_owned",
                "session_id": _number(error.session_id),
                "authority": _number(error.authority),
            }
        case BundleNotFound() | DuplicateBundle():
            return {"type": error.code, "bundle_id": error.bundle_id}
        case IncompatibleInterfaces() | OverlappingSessions():
            return {"type": error.code}
    return {"type": error.code}


def _footprint_to_theirs(footprint: Footprint) -> Json:
    return {name: sorted(map(_number, getattr(footprint, name))) for name in _EMPTY}


def _session(number: int) -> str:
    return f"session {number}"


def _authority(number: int) -> str:
    return f"authority {number}"


def _number(name: str) -> int:
    return int(name.rpartition(" ")[2])
