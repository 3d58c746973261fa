"""What every facade of commands is made of: whom it hands commands to, and how it checks what it is given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar, cast

from ...domain import Decision, InvalidArgument, OwnershipCapability, OwnershipReceipt, Policy, Surfaces, session_stream
from ...domain.identifiers import identifier
from ...domain.value import exact
from ..writing import execution

ResultT = TypeVar("ResultT")
ValueT = TypeVar("ValueT")


class Executes(Protocol):
    """What carries commands out: a journal."""

    def execute(
        self, stream: str | tuple[str, ...], command: Callable[..., Decision[ResultT]], *arguments: object
    ) -> ResultT:
        """See ``Journal.execute``."""

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        """See ``Journal.read_state``."""

    def _write(self, steps: execution.Steps[ResultT]) -> ResultT:
        """Read and append what the write path has planned."""


class Command(NamedTuple):
    """A command that was checked, and is to be carried out."""

    stream: str | tuple[str, ...]
    command: Callable[..., Any]
    arguments: tuple[object, ...]


class Ask(NamedTuple):
    """Something that is to be read, by calling a function."""

    function: Callable[[], Any]


class Call(NamedTuple):
    """A function of the host that is to be called; where commands are awaited, it may be async.

    Attributes:
        name: what is done by it, for a message.
    """

    name: str
    function: Callable[[str], object]
    argument: str


class Write(NamedTuple):
    """What the write path has planned, to be read and appended."""

    steps: execution.Steps[Any]


Step: TypeAlias = Command | Ask | Call | Write
Steps: TypeAlias = Generator[Step, Any, ResultT]
"""What takes more than one command, written once: it says what comes next, and is sent the answer."""


class Checks:
    """Stands where a facade expects a journal, and only notes what is to be carried out."""

    def execute(self, stream: str | tuple[str, ...], command: Callable[..., Any], *arguments: object) -> Any:
        return Command(stream, command, arguments)

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        raise NotImplementedError(f"{stream}: states are read by the journal")

    def _write(self, steps: execution.Steps[Any]) -> Any:
        raise NotImplementedError("what is only noted is not written")


def carry_out(journal: Executes, steps: Steps[ResultT]) -> ResultT:
    """Do what takes more than one command; where commands are only noted, note the steps.

    Args:
        journal: does it.
        steps: what is to be done.
    """
    if isinstance(journal, Checks):
        return cast(ResultT, steps)
    try:
        step = next(steps)
        while True:
            try:
                answer = _do(journal, step)
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: ResultT = end.value
        return result


def _do(journal: Executes, step: Step) -> Any:
    match step:
        case Command(stream, command, arguments):
            return journal.execute(stream, command, *arguments)
        case Ask(function):
            return function()
        case Write(steps):
            return journal._write(steps)
        case Call(name, function, argument):
            answer = function(argument)
            if inspect.isawaitable(answer):
                if inspect.iscoroutine(answer):
                    answer.close()
                raise InvalidArgument("undo", f"of {name} must not be async here: it would not be waited for")
            return answer


class SessionCommands:
    """Checks arguments, and has commands on sessions carried out.

    Args:
        journal: what carries commands out.
        policy: what is permitted beyond the laws.
        surfaces: what the runtime offers.
    """

    def __init__(self, journal: Executes, policy: Policy, surfaces: Surfaces) -> None:
        self._journal = journal
        self._policy = policy
        self._surfaces = surfaces

    def _present(
        self, command: Callable[..., Decision[ResultT]], artifact: OwnershipCapability | OwnershipReceipt, *rest: object
    ) -> ResultT:
        return self._run(command, artifact.session_id, artifact, *rest)

    def _run(self, command: Callable[..., Decision[ResultT]], session_id: str, *arguments: object) -> ResultT:
        stream = session_stream(identifier("session_id", session_id))
        return self._journal.execute(stream, command, *arguments)


def checked(value: object, kind: type[ValueT], argument: str = "") -> ValueT:
    """Return ``value`` if it is of this very kind, and sound.

    Args:
        value: what the caller gave.
        kind: what it has to be.
        argument: what the caller calls it, for the message, if the kind alone does not tell.

    Raises:
        InvalidArgument: it is something else.
    """
    return exact(argument or kind.__name__, value, kind)


def checked_or_none(value: object, kind: type[ValueT]) -> ValueT | None:
    """The same, where None stands for nothing."""
    return None if value is None else checked(value, kind)
