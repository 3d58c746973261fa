"""The public surface, name by name and signature by signature: whoever changes it sees what others will have to change.

``MUNIMENT_WRITE_SNAPSHOT=1`` writes the snapshot anew.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import os
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from .test_public_names import ROOMS

SNAPSHOT = Path(__file__).parent / "data" / "public_surface.txt"


def signature(function: Any) -> str:
    """Parameters with their defaults, and annotations as they are written."""
    try:
        told = str(inspect.signature(function))
    except (TypeError, ValueError):
        return "(...)"
    # Where an object lies differs from run to run.
    told = re.sub(r"<function (\S+) at 0x[0-9a-f]+>", r"\1", told)
    told = re.sub(r"<[^<]* at 0x[0-9a-f]+>", "...", told)
    return told.replace("'", "")


def members(cls: type) -> Iterator[str]:
    """The methods and properties that are ours, inherited ones too."""
    for name in sorted(dir(cls)):
        if name.startswith("_"):
            continue
        owner = next(base for base in cls.__mro__ if name in vars(base))
        if not owner.__module__.startswith("muniment."):
            continue
        each = inspect.getattr_static(cls, name)
        if isinstance(each, property):
            yield f"    {name}: property"
        elif inspect.isroutine(each) or isinstance(each, classmethod | staticmethod):
            kind = "async " if inspect.iscoroutinefunction(getattr(cls, name)) else ""
            yield f"    {kind}{name}{signature(getattr(cls, name))}"


def surface() -> Iterator[str]:
    """Every public name, a line each."""
    for room in ROOMS:
        module = importlib.import_module(room)
        yield f"{room}"
        for name in module.__all__:
            each = getattr(module, name)
            if isinstance(each, ModuleType):
                yield f"  module {name}"
            elif isinstance(each, enum.EnumMeta):
                yield f"  enum {name}: {', '.join(each.__members__)}"
            elif isinstance(each, type):
                yield f"  class {name}{signature(each)}"
                yield from members(each)
            elif callable(each) and inspect.isroutine(each):
                yield f"  def {name}{signature(each)}"
            else:
                yield f"  {name}: {type(each).__name__}"


def test_the_public_surface_is_as_it_was() -> None:
    now = "\n".join(surface()) + "\n"
    if os.environ.get("MUNIMENT_WRITE_SNAPSHOT"):
        SNAPSHOT.write_text(now)
    before, after = set(SNAPSHOT.read_text().splitlines()), set(now.splitlines())
    assert (sorted(before - after), sorted(after - before)) == ([], [])
    assert SNAPSHOT.read_text() == now
