"""A small model of the reference's session ownership (telltale 2.1 to 2.12), to draw traces that nobody recorded.

It reproduces every recorded answer, which a test checks, and keeps what Muniment mends: generations restart after a
release, scopes of presented capabilities are not compared, witnesses stay outstanding, every repeat is logged.
"""

from __future__ import annotations

from random import Random
from typing import Any

Json = dict[str, Any]

SCOPES: list[Any] = ["session", "session", ["bundle:x"], ["bundle:x", "bundle:y"]]
OWNERS = ["alice", "bob", "carol"]
OPS = [
    "claim",
    "claim",
    "release",
    "begin_transfer",
    "begin_transfer",
    "commit_transfer",
    "commit_transfer",
    "rollback_transfer",
    "attenuate",
    "issue_witness",
    "issue_witness",
    "consume_witness",
    "consume_witness",
    "owner_died",
    "abandon_transfer",
    "fail_transfer_commit",
    "validate",
]


class Refusal(Exception):
    """The reference's answer is an error."""

    def __init__(self, kind: str, **facts: Any) -> None:
        super().__init__(kind)
        self.answer = {"type": kind, **facts}


class ReferenceSession:
    """One session of the reference."""

    def __init__(self, session_id: int) -> None:
        self.id = session_id
        self.current: Json | None = None
        self.pending: Json | None = None
        self.terminal: Json | None = None
        self.status: Json = {"status": "active"}
        self.next_claim = 1
        self.next_witness = 1
        self.issued: dict[int, Json] = {}
        self.consumed: set[int] = set()
        self.audit: list[Json] = []

    def log(self, event: str, kind: str, value: Json, reason: str | None = None) -> None:
        self.audit.append({"event": event, "artifact": {"kind": kind, "value": value}, "reason": reason})

    def not_terminal(self) -> None:
        if self.terminal is not None:
            raise Refusal("terminal", session_id=self.id, reason=self.terminal)

    def owned_by(self, capability: Json) -> Json:
        self.not_terminal()
        if self.current is None:
            raise Refusal("unclaimed", session_id=self.id)
        live = self.current
        if (live["owner_id"], live["generation"]) != (capability["owner_id"], capability["generation"]):
            raise Refusal(
                "stale_capability",
                session_id=self.id,
                owner_id=capability["owner_id"],
                expected_generation=capability["generation"],
                actual_generation=live["generation"],
            )
        return live

    def owned_fully_by(self, capability: Json) -> None:
        live = self.owned_by(capability)
        if live["scope"] != "session":
            raise Refusal(
                "scope_violation",
                session_id=self.id,
                owner_id=live["owner_id"],
                required="session",
                actual=live["scope"],
            )

    def nothing_staged(self) -> None:
        if self.pending is not None:
            raise Refusal("transfer_pending", session_id=self.id, claim_id=self.pending["claim_id"])

    def staged(self, receipt: Json, *, logged: bool) -> Json:
        if self.pending is None:
            if logged:
                self.log("rejected", "ownership_receipt", receipt, "receipt is no longer pending")
            raise Refusal("transfer_not_pending", session_id=self.id)
        if self.pending != receipt:
            if logged:
                self.log("rejected", "ownership_receipt", receipt, "receipt payload mismatch")
            raise Refusal("receipt_mismatch", session_id=self.id, claim_id=receipt["claim_id"])
        return self.pending

    def hold(self, owner: str, generation: int, scope: Any) -> Json:
        self.current = {"session_id": self.id, "owner_id": owner, "generation": generation, "scope": scope}
        return self.current

    def claim(self, step: Json) -> Json:
        self.not_terminal()
        if self.current is not None:
            raise Refusal("already_claimed", session_id=self.id, current_owner_id=self.current["owner_id"])
        capability = self.hold(step["owner_id"], 0, step["scope"])
        self.log("issued", "ownership_capability", capability)
        return capability

    def release(self, step: Json) -> None:
        self.owned_by(step["capability"])
        self.nothing_staged()
        self.log("invalidated", "ownership_capability", step["capability"], "ownership released")
        self.current = None

    def begin_transfer(self, step: Json) -> Json:
        capability = step["capability"]
        self.owned_by(capability)
        self.nothing_staged()
        self.pending = {
            "session_id": self.id,
            "claim_id": self.next_claim,
            "from_owner_id": capability["owner_id"],
            "from_generation": capability["generation"],
            "to_owner_id": step["to_owner_id"],
            "to_generation": capability["generation"] + 1,
            "scope": step["scope"],
        }
        self.next_claim += 1
        self.log("issued", "ownership_receipt", self.pending)
        return self.pending

    def commit_transfer(self, step: Json) -> Json:
        self.not_terminal()
        if self.current is None:
            raise Refusal("unclaimed", session_id=self.id)
        receipt = self.staged(step["receipt"], logged=True)
        old = self.current
        self.log("invalidated", "ownership_capability", old, "ownership transferred")
        self.log("committed", "ownership_receipt", receipt)
        capability = self.hold(receipt["to_owner_id"], receipt["to_generation"], receipt["scope"])
        self.log("issued", "ownership_capability", capability)
        self.pending = None
        return capability

    def rollback_transfer(self, step: Json) -> None:
        self.not_terminal()
        self.log("rolled_back", "ownership_receipt", self.staged(step["receipt"], logged=True))
        self.pending = None

    def attenuate(self, step: Json) -> Json:
        presented = step["capability"]
        self.owned_by(presented)
        self.nothing_staged()
        self.log("invalidated", "ownership_capability", presented, "ownership scope attenuated")
        capability = self.hold(presented["owner_id"], presented["generation"] + 1, step["scope"])
        self.log("issued", "ownership_capability", capability)
        return capability

    def issue_witness(self, step: Json) -> Json:
        presented = step["capability"]
        self.owned_fully_by(presented)
        witness = {"witness_id": self.next_witness, **presented, "predicate_ref": step["predicate_ref"]}
        self.next_witness += 1
        self.issued[witness["witness_id"]] = witness
        self.log("issued", "readiness_witness", witness)
        return witness

    def consume_witness(self, step: Json) -> None:
        presented, witness = step["capability"], step["witness"]
        self.owned_fully_by(presented)
        number = witness["witness_id"]
        if number in self.consumed:
            self.log("rejected", "readiness_witness", witness, "witness already consumed")
            raise Refusal("witness_consumed", session_id=witness["session_id"], witness_id=number)
        problem = None
        if number not in self.issued:
            problem = "witness was never issued"
        elif self.issued[number] != witness:
            problem = "witness payload mismatch"
        elif any(witness[name] != presented[name] for name in ("session_id", "owner_id", "generation", "scope")):
            problem = "live ownership no longer matches witness"
        if problem:
            self.log("rejected", "readiness_witness", witness, problem)
            raise Refusal("invalid_witness", session_id=self.id, witness_id=number, reason=problem)
        del self.issued[number]
        self.consumed.add(number)
        self.log("consumed", "readiness_witness", witness)

    def owner_died(self, step: Json) -> Json:
        self.not_terminal()
        if self.current is None:
            raise Refusal("unclaimed", session_id=self.id)
        live, owner = self.current, step["owner_id"]
        if live["owner_id"] != owner:
            raise Refusal(
                "stale_capability",
                session_id=self.id,
                owner_id=owner,
                expected_generation=live["generation"],
                actual_generation=live["generation"],
            )
        self.status = {"status": "faulted", "reason": f"ownership owner `{owner}` died"}
        self.log("invalidated", "ownership_capability", live, "owner died")
        return self.cancelled({"kind": "owner_died", "owner_id": owner}, live["owner_id"], live["generation"])

    def abandon_transfer(self, step: Json) -> Json:
        self.not_terminal()
        receipt = self.staged(step["receipt"], logged=False)
        self.status = {"status": "cancelled"}
        assert self.current is not None
        self.log("invalidated", "ownership_capability", self.current, "transfer abandoned")
        self.log("rolled_back", "ownership_receipt", receipt, "transfer abandoned")
        owner = receipt["from_owner_id"]
        reason = {"kind": "transfer_abandoned", "owner_id": owner, "claim_id": receipt["claim_id"]}
        return self.cancelled(reason, owner, receipt["from_generation"])

    def fail_transfer_commit(self, step: Json) -> None:
        self.not_terminal()
        receipt = self.staged(step["receipt"], logged=False)
        self.status = {"status": "faulted", "reason": f"ownership transfer commit failed: {step['reason']}"}
        assert self.current is not None
        self.log("invalidated", "ownership_capability", self.current, "transfer commit failed")
        self.log("rolled_back", "ownership_receipt", receipt, step["reason"])
        self.end(
            {
                "kind": "transfer_commit_failed",
                "owner_id": receipt["from_owner_id"],
                "claim_id": receipt["claim_id"],
                "reason": step["reason"],
            }
        )

    def validate(self, step: Json) -> None:
        self.owned_by(step["capability"])

    def cancelled(self, reason: Json, owner: str, generation: int) -> Json:
        witness = {
            "witness_id": self.next_witness,
            "session_id": self.id,
            "owner_id": owner,
            "generation": generation,
            "reason": reason,
        }
        self.next_witness += 1
        self.log("issued", "cancellation_witness", witness)
        self.end(reason)
        return witness

    def end(self, reason: Json) -> None:
        self.terminal = reason
        self.current = self.pending = None

    def final(self) -> Json:
        return {
            "session_id": self.id,
            "status": self.status,
            "current": self.current,
            "pending": self.pending,
            "terminal": self.terminal,
            "outstanding_witnesses": [self.issued[number] for number in sorted(self.issued)],
            "consumed_witnesses": sorted(self.consumed),
            "audit": self.audit,
        }


class Reference:
    """The reference with some sessions open."""

    def __init__(self, sessions: int) -> None:
        self.sessions = {number: ReferenceSession(number) for number in range(sessions)}

    def answer(self, step: Json) -> Json:
        """What the reference answers to a command."""
        addressed: Json = step.get("capability") or step.get("receipt") or step
        session_id = addressed["session_id"]
        session = self.sessions.get(session_id)
        if session is None:
            return {"err": {"type": "session_not_found", "session_id": session_id}}
        try:
            return {"ok": getattr(session, step["op"])(step)}
        except Refusal as refusal:
            return {"err": refusal.answer}

    def finals(self) -> list[Json]:
        return [session.final() for session in self.sessions.values()]


def draw_case(number: int, random: Random, *, commands: int = 60) -> Json:
    """A case with everything in it that recorded ones leave out: claims after releases, and forged scopes."""
    reference = Reference(2)
    artifacts: dict[str, list[Json]] = {"capability": [], "receipt": [], "witness": []}
    steps = []
    for _ in range(commands):
        step = _draw_step(random, artifacts)
        answer = reference.answer(step)
        steps.append({**step, **answer})
        result = answer.get("ok")
        if isinstance(result, dict) and "reason" not in result:
            kind = "receipt" if "claim_id" in result else "witness" if "witness_id" in result else "capability"
            artifacts[kind].append(result)
    return {"case": number, "sessions": 2, "steps": steps, "final": reference.finals()}


def _draw_step(random: Random, artifacts: dict[str, list[Json]]) -> Json:
    op = random.choice(OPS)
    if op == "owner_died" and random.random() < 0.8:
        op = "claim"
    session_id = random.choice([0, 0, 0, 1, 1, 99]) if random.random() < 0.1 else random.choice([0, 0, 1])
    if op in ("claim", "owner_died"):
        step = {"op": op, "session_id": session_id, "owner_id": random.choice(OWNERS)}
        return step | {"scope": random.choice(SCOPES)} if op == "claim" else step
    if op in ("commit_transfer", "rollback_transfer", "abandon_transfer", "fail_transfer_commit"):
        receipt = _present(random, artifacts["receipt"], _made_up_receipt(random, session_id))
        step = {"op": op, "receipt": receipt}
        return step | {"reason": "it broke"} if op == "fail_transfer_commit" else step
    made_up = {
        "session_id": session_id,
        "owner_id": random.choice(OWNERS),
        "generation": random.randrange(4),
        "scope": random.choice(SCOPES),
    }
    capability = _present(random, artifacts["capability"], made_up)
    step = {"op": op, "capability": capability}
    if op == "begin_transfer":
        step |= {"to_owner_id": random.choice(OWNERS), "scope": random.choice(SCOPES)}
    elif op == "attenuate":
        step |= {"scope": random.choice(SCOPES)}
    elif op == "issue_witness":
        step |= {"predicate_ref": random.choice(["quorum.ready", "epoch.sealed"])}
    elif op == "consume_witness":
        witness = {"witness_id": random.randrange(1, 4), **made_up, "predicate_ref": "quorum.ready"}
        step |= {"witness": _present(random, artifacts["witness"], witness)}
    return step


def _made_up_receipt(random: Random, session_id: int) -> Json:
    generation = random.randrange(4)
    return {
        "session_id": session_id,
        "claim_id": random.randrange(1, 4),
        "from_owner_id": random.choice(OWNERS),
        "from_generation": generation,
        "to_owner_id": random.choice(OWNERS),
        "to_generation": generation + 1,
        "scope": random.choice(SCOPES),
    }


def _present(random: Random, known: list[Json], made_up: Json) -> Json:
    if not known or random.random() < 0.05:
        return made_up
    artifact = known[-1] if random.random() < 0.7 else random.choice(known)
    if random.random() < 0.1:
        names = [name for name in ("scope", "generation", "predicate_ref", "claim_id") if name in artifact]
        name = random.choice(names)
        value = {"scope": random.choice(SCOPES), "predicate_ref": "forged"}.get(name)
        artifact = artifact | {name: artifact[name] + 1 if value is None else value}
    return artifact
