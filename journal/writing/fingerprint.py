"""What an idempotency key is filed under: a command's name, its streams, and a short digest of each argument.

An argument that is at its default is left out, so that a command can gain arguments and stay the same command. What an
artifact proves changes from one attempt to the next, so a capability or receipt counts as its session.
"""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any, Final

from pydantic_core import to_json

from ...domain import Fragments, FullSession, InvalidArgument, OwnershipCapability, OwnershipReceipt
from ...domain.bounds import MAX_IDENTIFIER_LENGTH
from ...domain.scope import scope_to_json
from ...domain.shown import kind_of
from ...domain.stream_names import split_stream

_SHORT: Final = 12
_LONG: Final = 32
_STORED: Final = re.compile(r"(?P<name>[^@]*)@(?P<streams>[0-9a-f]+)\((?P<arguments>.*)\)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One command, as its idempotency key is filed under it.

    Attributes:
        name: the command's name, such as ``session.claim``.
        streams: the streams that it is decided on.
        arguments: what it was given beyond those, by name.
        defaults: those of them that are at their default.
    """

    name: str
    streams: tuple[str, ...]
    arguments: Mapping[str, object]
    defaults: frozenset[str] = frozenset()

    @classmethod
    def of_call(
        cls, name: str, function: Callable[..., Any], streams: tuple[str, ...], arguments: Sequence[object]
    ) -> Fingerprint:
        """The fingerprint of a decision's function, called with the states of its streams and with these arguments.

        Raises:
            InvalidArgument: an argument cannot be written as JSON, so that nothing can tell whether it comes again.
        """
        parameters = _parameters(function)[len(streams) :]
        named: dict[str, object] = {}
        defaults: set[str] = set()
        for place, argument in enumerate(arguments):
            parameter = parameters[place] if place < len(parameters) else _Parameter(f"argument {place + 1}")
            named[parameter.name] = argument
            if parameter.default is not inspect.Parameter.empty and _digest(parameter.default) == _digest(argument):
                defaults.add(parameter.name)
        # Commands that end a session did not look at its inbox in older formats. Keys filed then must still match.
        others = (stream for stream in streams[1:] if split_stream(stream)[0] != "inbox")
        filed = (*streams[:1], *others)
        return cls(name, filed, named, frozenset(defaults))

    def __str__(self) -> str:
        """As it is stored: ``session.claim@<digest of the streams>(owner=<digest>, scope=<digest>)``."""
        digests = {name: _digest(each) for name, each in self.arguments.items() if name not in self.defaults}
        stored = self._stored(", ".join(f"{name}={digest[:_SHORT]}" for name, digest in digests.items()))
        return stored if len(stored) <= MAX_IDENTIFIER_LENGTH else self._stored(f"arguments={_digest(digests)[:_LONG]}")

    def differences(self, stored: str) -> tuple[str, ...]:
        """What this command differs in from one that a key was filed under; nothing if it is the same.

        Args:
            stored: that command, as it is stored; also by an earlier version, which told no arguments apart.
        """
        found, mine = _STORED.fullmatch(stored), _STORED.fullmatch(str(self))
        if found is None or mine is None:
            return () if stored == self._as_before() else ("command or arguments",)
        if found["name"] != mine["name"]:
            return ("command",)
        theirs, ours = _arguments(found["arguments"]), _arguments(mine["arguments"])
        streams = ("stream",) if found["streams"] != mine["streams"] else ()
        return (*streams, *(name for name in theirs | ours if theirs.get(name) != ours.get(name)))

    def _stored(self, arguments: str) -> str:
        return f"{self.name}@{_digest(self.streams)[:_SHORT]}({arguments})"

    def _as_before(self) -> str:
        """As earlier versions stored it: the name, and one digest of everything."""
        plain = [_in_order(each) for each in (*self.streams, *self.arguments.values())]
        return f"{self.name}:{_sha256(plain)[:_LONG]}"


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    default: object = inspect.Parameter.empty


def _parameters(function: Callable[..., Any]) -> tuple[_Parameter, ...]:
    """The parameters that take what is given by position, the states first."""
    # Anything else that can be called may not be what its hash says.
    return _known_parameters(function) if type(function) is FunctionType else _read_parameters(function)


def _read_parameters(function: Callable[..., Any]) -> tuple[_Parameter, ...]:
    try:
        found = inspect.signature(function).parameters.values()
    except Exception:  # one of C says nothing of them, and an object of its caller's may say anything
        return ()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(_Parameter(each.name, each.default) for each in found if each.kind in kinds)


_known_parameters: Final = cache(_read_parameters)


def _arguments(stored: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in filter(None, stored.split(", ")):
        name, _, digest = each.rpartition("=")
        found[name] = digest
    return found


def _digest(value: object) -> str:
    if isinstance(value, OwnershipCapability | OwnershipReceipt):
        value = value.session_id
    return _sha256(_in_order(value))


def _sha256(value: object) -> str:
    try:
        return hashlib.sha256(to_json(value)).hexdigest()
    except Exception as error:
        raise InvalidArgument(
            "arguments", f"must be what JSON can hold under an idempotency key; one raises {kind_of(error)}"
        ) from error


def _in_order(value: object) -> object:
    # A set has another order in every process, and the digest must be the same in all of them.
    if isinstance(value, FullSession | Fragments):
        return scope_to_json(value)
    return sorted(value) if isinstance(value, frozenset) else value
