"""What a living session must answer, said again in the plainest way, without the code that it is compared to."""

from __future__ import annotations

from dataclasses import dataclass, field


class Refused(Exception):
    """The model refuses, with the name of the error that the journal must raise."""


@dataclass
class Message:
    """An envelope."""

    number: int
    text: str
    taken_by: int | None = None


@dataclass
class Living:
    """One session with its inbox, and which worker runs it."""

    status: str = "unopened"
    incarnation: int = 0
    epoch: int = 0
    owner: tuple[str, int] | None = None
    generation: int = 0
    messages: list[Message] = field(default_factory=list)
    numbered: int = 0
    acknowledged: list[int] = field(default_factory=list)
    archived: set[int] = field(default_factory=set)
    in_table: bool = False
    capacity: int = 3

    def require_open(self) -> None:
        if self.status == "unopened":
            raise Refused("SessionNotFound")
        if self.status not in ("active", "draining"):
            raise Refused("SessionTerminal")

    def require_live(self, shown: tuple[str, int]) -> None:
        self.require_open()
        if self.owner is None:
            raise Refused("Unclaimed")
        if shown != self.owner:
            raise Refused("StaleCapability")

    def open(self) -> None:
        if self.status in ("active", "draining"):
            raise Refused("SessionAlreadyOpen")
        if self.status != "unopened":
            self.archived.add(self.incarnation)
        self.incarnation += 1
        self.status, self.epoch, self.owner, self.in_table = "active", 0, None, True
        self.messages.clear()

    def give(self, owner: str) -> tuple[str, int]:
        self.generation += 1
        self.owner = (owner, self.generation)
        return self.owner

    def claim(self, owner: str) -> tuple[str, int]:
        self.require_open()
        if self.owner is not None:
            raise Refused("AlreadyClaimed")
        if self.status == "draining":
            raise Refused("SessionDraining")
        return self.give(owner)

    def release(self, shown: tuple[str, int]) -> None:
        self.require_live(shown)
        self.owner = None

    def transfer(self, shown: tuple[str, int], owner: str) -> tuple[str, int]:
        self.require_live(shown)
        return self.give(owner)

    def drain(self, shown: tuple[str, int]) -> None:
        self.require_live(shown)
        if self.status == "draining":
            raise Refused("SessionDraining")
        self.status = "draining"
        self.epoch += 1

    def close(self, shown: tuple[str, int]) -> None:
        self.require_live(shown)
        if self.status == "draining" and self.messages:
            raise Refused("InboxNotEmpty")
        self.finish("closed")

    def end(self, status: str) -> None:
        self.require_open()
        self.finish(status)

    def finish(self, status: str) -> None:
        self.status, self.owner = status, None
        self.epoch += status == "closed"
        self.messages.clear()

    def reap(self) -> bool:
        if self.status in ("unopened", "active", "draining") or self.incarnation in self.archived:
            return False
        self.archived.add(self.incarnation)
        self.in_table = False
        return True

    def put(self, text: str) -> int:
        self.require_open()
        if self.status == "draining":
            raise Refused("SessionDraining")
        if len(self.messages) >= self.capacity:
            raise Refused("InboxFull")
        self.numbered += 1
        self.messages.append(Message(self.numbered, text))
        return self.numbered

    def take(self, shown: tuple[str, int]) -> tuple[int, str] | None:
        self.require_live(shown)
        for each in self.messages:
            if each.taken_by is None or each.taken_by < shown[1]:
                each.taken_by = shown[1]
                return each.number, each.text
        return None

    def taken(self, shown: tuple[str, int], number: int) -> Message:
        self.require_live(shown)
        for each in self.messages:
            if each.number == number:
                if each.taken_by != shown[1]:
                    raise Refused("EnvelopeNotTaken")
                return each
        raise Refused("EnvelopeNotFound")

    def acknowledge(self, shown: tuple[str, int], number: int) -> None:
        self.messages.remove(self.taken(shown, number))
        self.acknowledged.append(number)

    def give_back(self, shown: tuple[str, int]) -> tuple[int, ...]:
        self.require_live(shown)
        mine = [each for each in self.messages if each.taken_by == shown[1]]
        for each in mine:
            each.taken_by = None
        return tuple(each.number for each in mine)
