"""One signature in two colours: what a facade of the blocking journal takes and answers, to be awaited.

A command of ``Sessions`` checks what it is given and hands it to its journal. With ``Checks`` in the place of a journal
it only notes what is to be carried out, and whoever awaits it does that. So the arguments, their checks, the answers
and the documentation are told once.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial, wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

from .base import Command, Step, Steps

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class Awaits(Protocol):
    """What carries commands out, awaited: an ``AsyncJournal``."""

    async def execute(self, stream: str | tuple[str, ...], command: Callable[..., Any], *arguments: object) -> Any:
        """See ``AsyncJournal.execute``."""

    async def _call(self, function: Callable[[], Any]) -> Any:
        """Have the blocking journal do something, in a thread."""

    async def _carry_out(self, steps: Steps[Any]) -> Any:
        """Do what takes more than one command."""


class AsyncCommands:
    """The commands of a facade, awaited.

    Args:
        journal: carries them out.
        noting: a facade that only notes what is to be carried out.
        blocking: the same facade of the blocking journal, for what only reads.
    """

    def __init__(self, journal: Awaits, noting: object, blocking: object = None) -> None:
        self._journal = journal
        self._noting = noting
        self._blocking = blocking

    async def _carry_out(self, noted: Command | Steps[Any]) -> Any:
        if isinstance(noted, Command):
            return await self._journal.execute(noted.stream, noted.command, *noted.arguments)
        return await self._journal._carry_out(noted)


async def drive(steps: Steps[ResultT], do: Callable[[Step], Coroutine[Any, Any, Any]]) -> ResultT:
    """Do what takes more than one command.

    Args:
        steps: what is to be done.
        do: does one of them.
    """
    try:
        step = next(steps)
        while True:
            try:
                answer = await do(step)
            except BaseException as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: ResultT = end.value
        return result


def awaited(
    command: Callable[Concatenate[Any, P], ResultT],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, ResultT]]:
    """A command with the arguments, answer, errors and documentation of a blocking one, to be awaited."""

    @wraps(command)
    async def give(self: AsyncCommands, /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        # The facade returns what ``Checks`` noted, in the place of what the command will answer.
        return cast(ResultT, await self._carry_out(cast(Command, command(self._noting, *args, **kwargs))))

    return give


def read_in_a_thread(
    reader: Callable[Concatenate[Any, P], ResultT],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, ResultT]]:
    """What a blocking facade reads, read by it in a thread, and awaited."""

    @wraps(reader)
    async def read(self: AsyncCommands, /, *args: P.args, **kwargs: P.kwargs) -> ResultT:
        return cast(ResultT, await self._journal._call(partial(reader, self._blocking, *args, **kwargs)))

    return read
