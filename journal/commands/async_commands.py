"""How the commands of ``AsyncJournal`` are checked like those of ``Journal``, and then awaited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple, ParamSpec, TypeVar, cast

P = ParamSpec("P")
ResultT = TypeVar("ResultT")


class _Call(NamedTuple):
    """A command that was checked, and is to be carried out."""

    stream: str | tuple[str, ...]
    command: Callable[..., Any]
    arguments: tuple[object, ...]


class Checks:
    """Stands where a facade of commands expects a journal, and only notes what is to be carried out."""

    def execute(self, stream: str | tuple[str, ...], command: Callable[..., Any], *arguments: object) -> Any:
        return _Call(stream, command, arguments)

    def read_state(self, stream: str, view: Callable[[Any], ResultT]) -> ResultT:
        raise NotImplementedError(f"{stream}: states are read by the journal")


class AsyncCommands:
    """Has commands carried out that a facade of the blocking journal has checked.

    Args:
        execute: carries them out.
    """

    def __init__(self, execute: Callable[..., Awaitable[Any]]) -> None:
        self._execute = execute

    async def give(self, check: Callable[P, ResultT], *args: P.args, **kwargs: P.kwargs) -> ResultT:
        # The facade returns the call that ``Checks`` noted, in the place of what the command will answer.
        call = cast(_Call, check(*args, **kwargs))
        return cast(ResultT, await self._execute(call.stream, call.command, *call.arguments))
