"""The names under which commands are filed with their idempotency keys.

A decision says its own name. A function can then be renamed, and a command that comes again is still the same one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import FunctionType, MappingProxyType
from typing import Any, Final, TypeVar

from .errors import InvalidArgument
from .identifiers import text
from .shown import shown

DecideT = TypeVar("DecideT", bound=Callable[..., Any])

_NAME: Final = re.compile(r"[a-z]+\.[a-z_]{1,60}", re.ASCII)
_names: Final[dict[Callable[..., Any], str]] = {}
_questions: Final[set[Callable[..., Any]]] = set()
_timed: Final[set[Callable[..., Any]]] = set()

DECISION_NAMES: Final[Mapping[Callable[..., Any], str]] = MappingProxyType(_names)
"""Every decision that has said its name."""


def decision(name: str, *, uses_key: bool = True, takes_time: bool = False) -> Callable[[DecideT], DecideT]:
    """Mark a function as a decision, and say the name that its command is stored under.

    Args:
        name: the kind of its stream and what it does, such as ``session.claim``. It stays when the function is renamed.
        uses_key: whether the command, once accepted, uses up the idempotency key that it is given under. A question
            uses up none, nor does a record beside the command that the key is for, nor what does only what is still to
            be done.
        takes_time: whether it has an argument ``now``, which the write path gives it, as the time of its events.

    Raises:
        InvalidArgument: it is no such name, or another function has it, or what is marked is no function.
    """
    if not _NAME.fullmatch(text("name", name)):
        raise InvalidArgument("name", f"must be a kind and what is done, such as session.claim, not {name!r}")

    def mark(decide: DecideT) -> DecideT:
        if type(decide) is not FunctionType:
            raise InvalidArgument("decide", f"must be a function that was defined by its name, not {shown(decide)}")
        for other, taken in _names.items():
            # A module that is loaded again defines the same function once more.
            if taken == name and (other.__module__, other.__qualname__) != (decide.__module__, decide.__qualname__):
                raise InvalidArgument("name", f"is that of {other.__module__}.{other.__qualname__} already: {name}")
        _names[decide] = name
        if not uses_key:
            _questions.add(decide)
        if takes_time:
            _timed.add(decide)
        return decide

    return mark


def is_of_the_domain(decide: Callable[..., Any]) -> bool:
    """Whether a decision is the domain's own, which makes its events by their constructors, and so of sound values."""
    return name_of(decide) is not None and decide.__module__.startswith("muniment.domain.")


def name_of(decide: Callable[..., Any]) -> str | None:
    """The name that a decision has said; None if it has said none."""
    # Anything else that can be called may have a hash that raises, or lies.
    return _names.get(decide) if type(decide) is FunctionType else None


def uses_idempotency_key(decide: Callable[..., Any]) -> bool:
    """Whether a command, once accepted, uses up the idempotency key that it is given under."""
    return type(decide) is not FunctionType or decide not in _questions


def takes_time(decide: Callable[..., Any]) -> bool:
    """Whether a decision is given the time as its argument ``now``."""
    return type(decide) is FunctionType and decide in _timed
