"""Values that callers build: frozen, compared whole, and checked when they are made and when they are taken."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from itertools import islice
from typing import Any, Final, TypeVar, cast

from pydantic import ConfigDict, ValidationError
from pydantic_core import to_json as to_any_json

from .errors.base import MunimentError
from .errors.input import BoundExceeded, InvalidArgument
from .shown import kind_of, shown

ValueT = TypeVar("ValueT")

VALUE = ConfigDict(strict=True, extra="forbid", revalidate_instances="always")
"""How every stored value is checked: no coercion, no field that this version does not know, and values in it again."""

_CHECKED: Final[dict[type[Any], Callable[[Any], Any]]] = {}


def value_type(**bounds: int) -> Callable[[type[ValueT]], type[ValueT]]:
    """Make a value's constructor raise ``InvalidArgument`` for what it does not take. Decoding does not call it.

    Args:
        bounds: how many entries callers may give for a field; rows of older journals may hold more.

    Returns:
        A decorator of a pydantic dataclass.
    """

    def make(cls: type[ValueT]) -> type[ValueT]:
        _guard(cls, bounds)
        return cls

    return make


def _guard(cls: type[Any], bounds: Mapping[str, int]) -> None:
    build: Any = cls.__init__
    names: list[str] = list(cls.__dataclass_fields__)
    places = [(name, names.index(name), most) for name, most in bounds.items()]

    @wraps(build)
    def checked(self: Any, *args: Any, **fields: Any) -> None:
        try:
            for name, place, most in places:
                given = args[place] if place < len(args) else fields.get(name, ())
                if isinstance(given, tuple | frozenset) and len(given) > most:
                    raise BoundExceeded(name, f"of {cls.__name__} has {len(given)} entries; at most {most} are taken")
            build(self, *args, **fields)
        except ValidationError as error:
            raise _invalid(cls.__name__, names, error) from None
        except MunimentError:
            raise
        except Exception as error:
            # What was given raises when it is looked at.
            raise InvalidArgument(
                cls.__name__, f"takes values that can be read; one raises {kind_of(error)}"
            ) from error

    cls.__init__ = checked
    _CHECKED[cls] = cls.__pydantic_validator__.validate_python


def exact(argument: str, given: object, kind: type[ValueT]) -> ValueT:
    """Return what a caller gave if it is of this very type, and sound; nothing of it is called.

    A subclass is refused: it would never equal the live artifact, whatever its fields are.

    Args:
        argument: what the caller calls it, for the message.
        given: what the caller gave.
        kind: what it has to be.

    Raises:
        InvalidArgument: it is something else, or was built past its checks.
    """
    if type(given) is not kind:
        raise InvalidArgument(argument, f"must be of type {kind.__name__}, not {shown(given)}")
    check = _CHECKED.get(kind)
    if check is None:
        return given
    try:
        return check(given)  # type: ignore[no-any-return]
    except ValidationError as error:
        raise _invalid(kind.__name__, [], error) from None
    except MunimentError:
        raise
    except Exception as error:
        raise InvalidArgument(argument, f"is a broken {kind.__name__}: it raises {kind_of(error)}") from error


def function(argument: str, given: ValueT) -> ValueT:
    """Return what a caller gave if it can be called.

    Raises:
        InvalidArgument: it cannot.
    """
    if not callable(given):
        raise InvalidArgument(argument, f"must be a function, not {shown(given)}")
    return given


def function_or_none(argument: str, given: ValueT | None) -> ValueT | None:
    """The same, where None stands for nothing."""
    return None if given is None else function(argument, given)


def several(argument: str, given: object, most: int) -> Iterator[Any]:
    """Yield the entries of what a caller gave, which may be endless: at most one more than the bound is read.

    Raises:
        InvalidArgument: it is a text or nothing to go through, or fails on the way.
        BoundExceeded: it has too many entries.
    """
    if isinstance(given, str | bytes | bytearray | memoryview):
        raise InvalidArgument(argument, f"must be several, not {shown(given)}")
    count = 0
    try:
        entries = iter(cast(Iterable[Any], given))
        for count, entry in enumerate(islice(entries, most + 1), 1):
            if count <= most:
                yield entry
    except MunimentError:
        raise
    except Exception as error:
        raise InvalidArgument(argument, f"cannot be gone through: {kind_of(given)} raises {kind_of(error)}") from error
    if count > most:
        raise BoundExceeded(argument, f"has more than {most} entries; at most {most} are taken")


def to_json(given: object) -> bytes:
    """A value as JSON: the same bytes in every process."""
    return to_any_json(given)


def json_size(given: object) -> int:
    """How many bytes of JSON a value takes, as an event holds it, or a little more."""
    return len(to_any_json(given, serialize_unknown=True))


def require_size(argument: str, given: object, most: int) -> None:
    """Make sure that a value takes no more bytes of JSON than it may.

    Raises:
        BoundExceeded: it takes more.
    """
    size = json_size(given)
    if size > most:
        raise BoundExceeded(argument, f"takes {size} bytes of JSON; at most {most} are allowed")


def _invalid(kind: str, names: list[str], error: ValidationError) -> InvalidArgument:
    first = error.errors(include_url=False, include_context=False)[0]
    # What is given by place has the place's number here.
    where, *parts = first["loc"] or (kind,)
    name = names[where] if isinstance(where, int) and where < len(names) else where
    place = ".".join(shown(part) if not isinstance(part, str) else part for part in (name, *parts))
    # Of what is missing, the input is all the rest.
    given = "" if first["type"].startswith("missing") else f", not {shown(first['input'])}"
    return InvalidArgument(place[:200], f"of {kind}: {first['msg']}{given}")
