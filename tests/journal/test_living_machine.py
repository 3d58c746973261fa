"""A machine that lives in sessions: what it does is done to a model beside it, and both must agree at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from muniment.domain import FULL_SESSION, CommandRefused, Envelope, OwnershipCapability
from muniment.journal import Journal

from ..drawing import drawn
from .living_model import Living, Refused

SESSIONS = ("s-1", "s-2")
OWNERS = ("alice", "bob")
WORKERS = ("w-1", "w-2")
# Mostly the one, so that much happens in it.
names, owners, workers = st.sampled_from(SESSIONS[:1] * 4 + SESSIONS), st.sampled_from(OWNERS), st.sampled_from(WORKERS)
seldom = st.sampled_from([True, False, False, False])


def outcome(command: Callable[[], Any], refusals: type[Exception]) -> tuple[Any, Exception | None]:
    try:
        return command(), None
    except refusals as refusal:
        return None, refusal


class LivingMachine(RuleBasedStateMachine):
    """Two sessions, two workers that run them, and whatever capabilities were ever given out."""

    def __init__(self) -> None:
        super().__init__()
        self.journal = Journal.open("memory://")
        self.model = {name: Living() for name in SESSIONS}
        self.running: dict[str, str] = {}
        self.shown: dict[str, list[tuple[str, int]]] = {name: [("nobody", 9)] for name in SESSIONS}
        self.spent: dict[str, list[int]] = {name: [] for name in SESSIONS}

    def both(self, of_model: Callable[[], Any], of_journal: Callable[[], Any]) -> Any:
        """Do the same to both; return what they answer, or None where both refuse."""
        wanted, refusal = outcome(of_model, Refused)
        given, error = outcome(of_journal, CommandRefused)
        assert (None if error is None else type(error).__name__) == (None if refusal is None else str(refusal))
        return None if refusal is not None else (wanted, given)

    def owned(self, name: str, answer: Any) -> None:
        if answer is not None:
            (owner, generation), given = answer
            assert given == capability(name, (owner, generation))
            self.shown[name].append((owner, generation))

    def pick(self, name: str, data: Any) -> tuple[str, int]:
        live = self.model[name].owner
        if live is not None and data.draw(st.integers(0, 3)):
            return live
        return data.draw(st.sampled_from(self.shown[name]))  # type: ignore[no-any-return]

    @initialize()
    def begin(self) -> None:
        self.start("s-1", "alice", "w-1")

    @rule(name=names)
    def open(self, name: str) -> None:
        self.both(self.model[name].open, lambda: self.journal.sessions.open(name, inbox_capacity=3))

    @rule(name=names, owner=owners, worker=workers)
    def start_again(self, name: str, owner: str, worker: str) -> None:
        self.start(name, owner, worker)

    def start(self, name: str, owner: str, worker: str) -> None:
        def of_model() -> tuple[str, int]:
            running = self.running.get(worker)
            if running is not None and self.model[running].status in ("active", "draining"):
                raise Refused("TaskAlreadyBound")
            self.running.pop(worker, None)
            self.model[name].open()
            self.running[worker] = name
            return self.model[name].give(owner)

        answer = self.both(
            of_model,
            lambda: self.journal.sessions.start(name, owner, inbox_capacity=3, binding=worker).capability,
        )
        self.owned(name, answer)

    @rule(name=names, worker=workers)
    def rebind(self, name: str, worker: str) -> None:
        def of_model() -> None:
            self.model[name].require_open()
            running = self.running.get(worker)
            if running not in (None, name) and self.model[str(running)].status in ("active", "draining"):
                raise Refused("TaskAlreadyBound")
            self.running = {each: of for each, of in self.running.items() if of != name and each != worker}
            self.running[worker] = name

        self.both(of_model, lambda: self.journal.sessions.rebind(name, worker))

    @rule(name=names, owner=owners)
    def claim(self, name: str, owner: str) -> None:
        self.owned(
            name, self.both(lambda: self.model[name].claim(owner), lambda: self.journal.sessions.claim(name, owner))
        )

    @rule(name=names, owner=owners, data=st.data())
    def transfer(self, name: str, owner: str, data: Any) -> None:
        shown = self.pick(name, data)
        self.owned(
            name,
            self.both(
                lambda: self.model[name].transfer(shown, owner),
                lambda: self.journal.sessions.transfer(capability(name, shown), owner),
            ),
        )

    @rule(name=names, data=st.data(), command=st.sampled_from(["release", "drain", "close"]))
    def give_up(self, name: str, data: Any, command: str) -> None:
        if not data.draw(seldom):
            return self.put(name, "x")
        shown = self.pick(name, data)
        of_model, of_journal = getattr(self.model[name], command), getattr(self.journal.sessions, command)
        self.both(lambda: of_model(shown), lambda: of_journal(capability(name, shown)))
        self.forget_ended()
        return None

    @rule(
        name=names,
        how=st.sampled_from([("end", "closed"), ("cancel", "cancelled"), ("fault", "faulted")]),
        is_meant=seldom,
    )
    def host_ends(self, name: str, how: tuple[str, str], is_meant: bool) -> None:
        if not is_meant:
            return self.put(name, "y")
        command, status = how
        end = getattr(self.journal.sessions, command)
        self.both(lambda: self.model[name].end(status), lambda: end(name, reason="over"))
        self.forget_ended()

    @rule(worker=workers, is_meant=seldom)
    def end_what_runs(self, worker: str, is_meant: bool) -> None:
        if not is_meant:
            return

        def of_model() -> None:
            if worker not in self.running:
                raise Refused("MissingTaskBinding")
            self.model[self.running[worker]].end("closed")

        self.both(of_model, lambda: self.journal.sessions.end(binding=worker))
        self.forget_ended()

    def forget_ended(self) -> None:
        self.running = {
            worker: name for worker, name in self.running.items() if self.model[name].status in ("active", "draining")
        }

    @rule()
    def reap(self) -> None:
        wanted = tuple((name, of.incarnation) for name, of in sorted(self.model.items()) if of.reap())
        assert self.journal.sessions.reap() == wanted

    @rule(name=names, text=st.sampled_from(["x", "y"]))
    def put_one(self, name: str, text: str) -> None:
        self.put(name, text)

    def put(self, name: str, text: str) -> None:
        envelope = Envelope("B", "A", "c", text)
        answer = self.both(lambda: self.model[name].put(text), lambda: self.journal.inbox.put(name, envelope))
        assert answer is None or answer[0] == answer[1]

    @rule(name=names, data=st.data())
    def take(self, name: str, data: Any) -> None:
        shown = self.pick(name, data)
        answer = self.both(
            lambda: self.model[name].take(shown), lambda: self.journal.inbox.take(capability(name, shown))
        )
        if answer is not None:
            wanted, given = answer
            assert wanted == (None if given is None else (given.number, given.envelope.payload))

    @precondition(lambda self: any(model.messages for model in self.model.values()))
    @rule(name=names, data=st.data())
    def acknowledge(self, name: str, data: Any) -> None:
        shown = self.pick(name, data)
        known = [each.number for each in self.model[name].messages]
        taken = [each.number for each in self.model[name].messages if each.taken_by == shown[1]]
        number = data.draw(st.sampled_from([*taken * 4, *known, 77]))
        self.both(
            lambda: self.model[name].acknowledge(shown, number),
            lambda: self.journal.inbox.acknowledge(capability(name, shown), number),
        )

    @rule(name=names, data=st.data())
    def give_back(self, name: str, data: Any) -> None:
        shown = self.pick(name, data)
        answer = self.both(
            lambda: self.model[name].give_back(shown), lambda: self.journal.inbox.give_back(capability(name, shown))
        )
        assert answer is None or answer[0] == answer[1]

    @invariant()
    def both_agree(self) -> None:
        sessions = self.journal.sessions
        table = dict(sessions.items())
        for name, model in self.model.items():
            assert (name in table) is model.in_table
            unread = [(each.number, each.taken_by) for each in self.journal.inbox.snapshot(name)]
            assert unread == [(each.number, each.taken_by) for each in model.messages]
            assert [key for key in self.journal.archive if key[0] == name] == [
                (name, number) for number in sorted(model.archived)
            ]
            if name in table:
                row = table[name]
                told = (row.status, row.incarnation, row.epoch, row.owner, row.unread)
                owner = None if model.owner is None else model.owner[0]
                assert told == (model.status, model.incarnation, model.epoch, owner, len(model.messages))
        open_now = sum(model.status == "active" for model in self.model.values())
        assert sessions.active_count() == open_now
        for worker in WORKERS:
            assert sessions.current(worker) == self.running.get(worker)

    def teardown(self) -> None:
        # Each envelope was acknowledged once, whatever happened around it.
        for name, model in self.model.items():
            acknowledged = [
                record.event.number  # type: ignore[attr-defined]
                for record in self.journal.read_stream(f"inbox-{name}")
                if record.type == "inbox.envelope_acknowledged.v1"
            ]
            assert acknowledged == model.acknowledged
            assert len(set(acknowledged)) == len(acknowledged)
        assert self.journal.verify().findings == ()
        assert self.journal.replay().differences == {}
        self.journal.close()


def capability(name: str, shown: tuple[str, int]) -> OwnershipCapability:
    return OwnershipCapability(name, *shown, FULL_SESSION)


TestLivingMachine = LivingMachine.TestCase
TestLivingMachine.settings = settings(max_examples=drawn(100), stateful_step_count=50, deadline=None)
