"""How programs show things: data on stdout, as tables or as one JSON envelope; everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from typing import Any, Final, TextIO

import click
from muniment.domain import ArtifactKind, Fragments, FullSession, MunimentError, RecordedEvent
from muniment.domain.content import stored_content
from muniment.domain.protocol import LocalType, SessionPlan
from muniment.domain.scope import scope_to_json
from muniment.domain.shown import utc, visible
from pydantic_core import to_json, to_jsonable_python
from rich import box
from rich.console import Console, Group
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

_UNFOLDED_WIDTH: Final = 100_000
_LONG_TABLE: Final = 200


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # What goes into a pipe is not folded to a screen's width.
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else _UNFOLDED_WIDTH)


def show(renderable: Group | str) -> None:
    """Print data."""
    if isinstance(renderable, str):
        click.echo(renderable)
    else:
        _console(stderr=False).print(renderable)


def say(message: str) -> None:
    """Print what is not data."""
    click.echo(message, err=True)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Group | str:
    """Make a table; numbers stand on the right. A long one is plain text, which is made in a tenth of the time."""
    rows = list(rows)
    if len(rows) > _LONG_TABLE:
        return _plain_table(title, columns, rows)
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        is_number = bool(rows) and all(isinstance(row[index], int | None) for row in rows)
        made.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        # Not as markup, which would make a picture of a name such as :fire:.
        made.add_row(*(Text("" if cell is None else visible(cell)) for cell in row))
    # Not the table's own title, which is folded to the table's width.
    return Group(Text(visible(title), style="bold"), made)


def _plain_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    cells = [["" if cell is None else visible(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    numbers = [all(isinstance(cell, int | None) for cell in column) for column in zip(*rows, strict=True)]
    lines = [visible(title), ""]
    for line in (columns, ["-" * width for width in widths], *cells):
        parts = (
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, numbers, strict=True)
        )
        lines.append("   ".join(parts).rstrip())
    return "\n".join(lines)


def envelope(command: str, data: object, **about: object) -> None:
    """Print the one JSON object that ``--json`` promises.

    Args:
        command: the command's name.
        data: what it found.
        about: what the data is about: the journal, the position it was read as of.
    """
    document = {"muniment": version("muniment"), "command": command, **about, "data": data}
    click.echo(_json(document, sys.stdout, indent=2))


def error_envelope(error: MunimentError, message: str) -> None:
    """Print an error as JSON, on stderr, with what is said of it."""
    error_envelope_of(error.code, message, to_plain(error.facts()))


def error_envelope_of(code: str, message: str, facts: Any) -> None:
    """Print as JSON, on stderr, what is wrong."""
    click.echo(_json({"error": {"code": code, "message": message, "facts": facts}}, sys.stderr), err=True)


def json_line(document: object) -> str:
    """One line of JSON, as stdout can show it."""
    return _json(document, sys.stdout)


def _json(document: object, stream: TextIO, indent: int | None = None) -> str:
    """JSON that stays JSON also where the stream's encoding lacks a character."""
    plain = to_jsonable_python(document, fallback=repr)
    is_unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
    try:
        if is_unicode:
            return to_json(plain, indent=indent).decode()
    except ValueError:
        # Half of a surrogate pair, from an argument that was no text.
        pass
    return json.dumps(plain, indent=indent)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far long work has come, if stderr is a terminal.

    Yields:
        A function to call with how much is done, and how much there is.
    """
    console = _console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(escape(label), total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


def utc_or_none(time_ms: int | None) -> str | None:
    """The same, where None stands for none."""
    return None if time_ms is None else utc(time_ms)


def to_plain(value: Any) -> Any:
    """A value as what JSON knows: artifacts as objects, scopes as ``"session"`` or a list of fragment keys."""
    if isinstance(value, FullSession | Fragments):
        return scope_to_json(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, LocalType):
        return value.to_json()
    if isinstance(value, SessionPlan):
        return {"roles": list(value.roles), "types": {role: each.to_json() for role, each in value.types}}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {name: to_plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(each) for each in value]
    return stored_content(value) if isinstance(value, bytes) else value


def flattened(name: str, value: Any) -> list[tuple[str, str]]:
    """A plain value as rows of a table, a part of a part under a dotted name; what is absent is left out."""
    if isinstance(value, dict):
        return [row for key, each in value.items() for row in flattened(f"{name}.{key}", each)]
    if isinstance(value, list):
        if any(isinstance(each, dict) for each in value):
            return [row for number, each in enumerate(value) for row in flattened(f"{name}[{number}]", each)]
        value = ", ".join(map(str, value))
    return [] if value in (None, "") else [(name, str(value))]


def record_to_plain(record: RecordedEvent) -> dict[str, Any]:
    """A record as what JSON knows; absent metadata is left out."""
    metadata = {name: value for name, value in to_plain(record.metadata).items() if value is not None}
    return {
        "position": record.position,
        "id": record.id,
        "stream": record.stream,
        "version": record.version,
        "type": record.type,
        "time": utc(record.metadata.recorded_at),
        "data": to_plain(record.event),
        "metadata": metadata,
    }


def short_kind(kind: ArtifactKind) -> str:
    """A kind of artifact as a table has room for it."""
    return kind.removeprefix("ownership_").removesuffix("_witness")
