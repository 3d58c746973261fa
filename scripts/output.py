"""How programs show things: data on stdout, as tables or as one JSON envelope; everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from textwrap import indent
from time import monotonic
from typing import Any, Final, TextIO

import click
from muniment.domain import ArtifactKind, Fragments, FullSession, MunimentError, RecordedEvent
from muniment.domain.content import stored_content
from muniment.domain.protocol import LocalType, SessionPlan
from muniment.domain.scope import scope_to_json
from muniment.domain.shown import utc, visible
from muniment.scripts.layout import Tabular, folded, print_table
from muniment.scripts.paging import say_after_paging
from pydantic_core import to_json, to_jsonable_python
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_UNFOLDED_WIDTH: Final = 100_000
_LONG_S: Final = 0.5
"""From how many seconds on work is long, and shows how far it has come."""
_WIDE: Final = f"{__name__}.wide"


def is_fitted() -> bool:
    """Whether what is printed has to fit a width: that of the terminal, or ``COLUMNS``.

    Pipes are for programs, and ``--wide`` is for who wants to see all: they get whole values, and lines of any width.
    That ``COLUMNS`` is set says nothing of a pipe: libraries for terminals set it for every program that they start.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.meta.get(_WIDE):
        return False
    return sys.stdout.isatty()


class _Stdout(Console):
    """Where tables are printed."""

    def on_broken_pipe(self) -> None:
        """Have a reader who has had enough end a table as it ends all else, not as if something had been found."""
        raise  # it is called while the error is handled


def screen() -> Console:
    """Where data is printed. Outside of a terminal there is neither colour nor a width."""
    return _Stdout(file=sys.stdout, highlight=False, width=None if is_fitted() else _UNFOLDED_WIDTH)


def show(shown: Tabular | str) -> None:
    """Print data. The rows of a table may be made while they are printed, and are then not kept."""
    if isinstance(shown, str):
        click.echo(folded(shown, screen()) if is_fitted() else shown)
    else:
        print_table(shown, screen(), fitted=is_fitted())


def show_line(line: str) -> None:
    """Print data that is a line; what does not fit the terminal is wrapped at words, and indented."""
    click.echo(folded(visible(line), screen(), shorten=True) if is_fitted() else visible(line))


def say(message: str) -> None:
    """Print what is not data."""
    if sys.stderr.isatty():
        message = folded(message, Console(stderr=True))
    if not say_after_paging(message):
        click.echo(message, err=True)


wide_option = click.option(
    "--wide",
    is_flag=True,
    expose_value=False,
    callback=lambda context, _, is_set: context.meta.update({_WIDE: is_set}),
    help="Print every value whole, whatever the width of the screen.",
)


def table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, stacked: tuple[str, ...] = ()
) -> Tabular:
    """Make a table, for ``show``.

    Args:
        title: what it is a table of.
        columns: the headings.
        rows: the cells; they may be made while they are printed.
        stacked: columns that share one column, each below the one before, where there is no room for all.
    """
    return Tabular(title, columns, rows, stacked)


def envelope(command: str, data: object, **about: object) -> None:
    """Print the one JSON object that ``--json`` promises.

    Args:
        command: the command's name.
        data: what it found.
        about: what the data is about: the journal, the position it was read as of.
    """
    document = {"muniment": version("muniment"), "command": command, **about, "data": data}
    click.echo(_json(document, sys.stdout, indented=2))


def stream_envelope(command: str, data: Iterable[object], **about: object) -> None:
    """Print the same object for a list that may be long, each entry as soon as it is there."""
    whole = _json({"muniment": version("muniment"), "command": command, **about, "data": []}, sys.stdout, indented=2)
    click.echo(whole.removesuffix("]\n}"), nl=False)
    separator = "\n"
    for entry in data:
        click.echo(separator + indent(_json(entry, sys.stdout, indented=2), "    "), nl=False)
        separator = ",\n"
    click.echo("]\n}" if separator == "\n" else "\n  ]\n}")


def error_envelope(error: MunimentError, message: str) -> None:
    """Print an error as JSON, on stderr, with what is said of it."""
    error_envelope_of(error.code, message, to_plain(error.facts()))


def error_envelope_of(code: str, message: str, facts: Any) -> None:
    """Print as JSON, on stderr, what is wrong."""
    click.echo(_json({"error": {"code": code, "message": message, "facts": facts}}, sys.stderr), err=True)


def json_line(document: object) -> str:
    """One line of JSON, as stdout can show it."""
    return _json(document, sys.stdout)


def _json(document: object, stream: TextIO, *, indented: int | None = None) -> str:
    """JSON that stays JSON also where the stream's encoding lacks a character."""
    plain = to_jsonable_python(document, fallback=repr)
    is_unicode = (stream.encoding or "").lower().replace("-", "").startswith("utf")
    try:
        if is_unicode:
            return to_json(plain, indent=indented).decode()
    except ValueError:
        # Half of a surrogate pair, from an argument that was no text.
        pass
    return json.dumps(plain, indent=indented)


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far work has come, once it takes long, if stderr is a terminal.

    Yields:
        A function to call with how much is done, and how much there is.
    """
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task = progress.add_task(escape(label), total=None)
    began = monotonic()

    def show_how_far(done: int, total: int) -> None:
        progress.update(task, completed=done, total=total)
        if monotonic() - began > _LONG_S:
            progress.start()

    try:
        yield show_how_far
    finally:
        progress.stop()


def utc_or_none(time_ms: int | None) -> str | None:
    """A time as ISO 8601, UTC; None for none."""
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


def with_times(value: Any) -> Any:
    """A plain value with its times as all commands print them."""
    if isinstance(value, dict):
        return {name: utc(each) if name == "time" else with_times(each) for name, each in value.items()}
    return [with_times(each) for each in value] if isinstance(value, list) else value


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
