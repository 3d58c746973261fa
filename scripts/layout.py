"""How a table is fitted to a screen: words stay whole, ids are shortened in the middle, times to what differs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice, zip_longest
from textwrap import wrap
from typing import Final

from muniment.domain.shown import visible
from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

PAGE: Final = 200
"""By how many rows the widths of columns are chosen. Later rows keep to them, so that a long table can be streamed."""

_GAP: Final = 2
_INDENT: Final = "    "
_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.\d{3}Z")
_SHORT_TIME: Final = re.compile(r"(\d{4}-\d\d-\d\dT)?\d\d:\d\d:\d\d(\.\d{3})?Z")
_TYPE: Final = re.compile(r"([a-z]+\.[a-z_]+)\.v\d+")


@dataclass(frozen=True)
class Tabular:
    """Rows under a title, to be laid out.

    Attributes:
        title: what it is a table of.
        columns: the headings.
        rows: the cells; they may be made while they are printed.
        stacked: columns that share one column, each below the one before, where there is no room for all.
    """

    title: str
    columns: Sequence[str]
    rows: Iterable[Sequence[object]]
    stacked: tuple[str, ...] = ()


def print_table(table: Tabular, console: Console, *, fitted: bool) -> None:
    """Print a table; numbers stand on the right.

    Args:
        table: the table.
        console: where to.
        fitted: whether it has to fit the console's width. Otherwise every value is whole, whatever its width.
    """
    rows = iter(table.rows)
    first = list(islice(rows, PAGE))
    later = list(islice(rows, 1))
    sheet = _Sheet(table, first, is_long=bool(later))
    if fitted and sheet.width > console.width:
        sheet.narrow()
    sheet.print_first(console)
    for row in chain(later, rows):
        for line in sheet.lines(row, console, fitted=fitted):
            console.file.write(f"{line}\n")
    console.file.write("\n")


def folded(text: str, console: Console, *, shorten: bool = False) -> str:
    """Lines that fit the console's width, where need be as several, the later ones indented.

    Args:
        text: the lines.
        console: where they are going to stand.
        shorten: whether words that are too wide are shortened. Otherwise they are whole, for who copies them.
    """
    return "\n".join(chain.from_iterable(_folded(line, console, shorten) for line in text.split("\n")))


def _folded(line: str, console: Console, shorten: bool) -> list[str]:
    if cell_len(line) <= console.width:
        return [line]
    if shorten:
        first, *others = _wrapped(line, console.width - len(_INDENT), console)
        return [first, *(_INDENT + other for other in others)]
    # Rich breaks words that are too wide, or leaves them out.
    return wrap(
        line, console.width, subsequent_indent=_INDENT, break_long_words=False, break_on_hyphens=False, tabsize=1
    )


class _Sheet:
    """A table's cells as texts, and how they are brought onto a screen."""

    def __init__(self, table: Tabular, first: Sequence[Sequence[object]], *, is_long: bool) -> None:
        self._table = table
        self._is_long = is_long
        self._title = visible(table.title)
        self._headings = list(table.columns)
        # Which columns of a row go into which of the screen: one each, until there is no room.
        self._places = [[index] for index in range(len(table.columns))]
        self._brief: Callable[[str], str] = str
        self._first = first
        self._is_number = [
            bool(first) and all(isinstance(row[index], int | None) for row in first)
            for index in range(len(table.columns))
        ]
        self._cells = [self._texts(row) for row in first]
        self._widths: list[int] = []

    @property
    def width(self) -> int:
        """How wide it is if nothing is shortened."""
        return sum(map(self._widest, range(len(self._headings)))) + _GAP * (len(self._headings) - 1)

    def narrow(self) -> None:
        """Leave empty columns out, put some under each other, and shorten times to what differs."""
        days = {found[1] for row in self._cells for cell in row if (found := _TIME.fullmatch(cell))}
        # More rows, of which nothing is known yet, may be of other days.
        brief = _Brief(days.pop() if len(days) == 1 and not self._is_long else None)
        self._brief = brief
        if brief.day is not None:
            self._title += f" ({brief.day})"
        names = list(self._table.columns)
        kept = [
            index
            for index in range(len(names))
            if self._is_long or not self._cells or any(row[index] for row in self._cells)
        ]
        stacked = [index for index in kept if names[index] in self._table.stacked]
        self._places = [stacked if index in stacked else [index] for index in kept if index not in stacked[1:]]
        self._headings = [", ".join(names[index] for index in place) for place in self._places]
        self._is_number = [all(self._is_number[index] for index in place) for place in self._places]
        self._cells = [self._texts(row) for row in self._first]

    def print_first(self, console: Console) -> None:
        """Print the title, the headings and the rows that the widths are chosen by."""
        console.print(_Cell(self._title, style="bold"))
        console.print()
        made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, _GAP - 1, 0, 0))
        headings = []
        for index, heading in enumerate(self._headings):
            is_whole = self._is_number[index] or self._is_time(index)
            if is_whole:
                # Rich takes a column that must not be wrapped at its whole width, that of its heading too.
                heading = "\n".join(_wrapped(heading, self._least(index), console))
            headings.append(_Cell(heading))
            made.add_column(headings[-1], justify="right" if self._is_number[index] else "left", no_wrap=is_whole)
        for row in self._cells:
            made.add_row(*map(_Cell, row))
        console.print(made)
        self._widths = [heading.width for heading in headings]

    def lines(self, row: Sequence[object], console: Console, *, fitted: bool) -> Iterator[str]:
        """A later row, in the widths of the first ones."""
        cells = [
            _wrapped(text, width, console) if fitted else [text]
            for text, width in zip(self._texts(row), self._widths, strict=True)
        ]
        for parts in zip_longest(*cells, fillvalue=""):
            padded = (
                " " * (width - cell_len(part)) + part if is_number else part + " " * (width - cell_len(part))
                for part, width, is_number in zip(parts, self._widths, self._is_number, strict=True)
            )
            yield (" " * _GAP).join(padded).rstrip()

    def _texts(self, row: Sequence[object]) -> list[str]:
        texts = []
        for place in self._places:
            parts = (visible(row[index]) for index in place if row[index] not in (None, ""))
            texts.append("\n".join(map(self._brief, parts)))
        return texts

    def _is_time(self, index: int) -> bool:
        cells = [row[index] for row in self._cells if row[index]]
        return bool(cells) and all(map(_SHORT_TIME.fullmatch, cells))

    def _least(self, index: int) -> int:
        """How wide a column has to be for every cell, and for each word of its heading, to be whole."""
        words = self._headings[index].split()
        return max((cell_len(text) for text in (*words, *(row[index] for row in self._cells))), default=0)

    def _widest(self, index: int) -> int:
        return max(cell_len(text) for text in (self._headings[index], *(row[index] for row in self._cells)))


class _Brief:
    """Shortens times and types of events to what can still be typed.

    A time is shown to the second, and without the day of the whole table. A type is shown without its version.
    """

    def __init__(self, day: str | None) -> None:
        self.day = day

    def __call__(self, text: str) -> str:
        if found := _TYPE.fullmatch(text):
            return found[1]
        return _TIME.sub(self._time, text)

    def _time(self, found: re.Match[str]) -> str:
        return f"{found[2]}Z" if found[1] == self.day else f"{found[1]}T{found[2]}Z"


class _Cell:
    """Text that wraps at words. A word that is wider than its column is shortened in the middle.

    Attributes:
        width: how wide its column became.
    """

    def __init__(self, text: str, style: str = "") -> None:
        self._text, self._style = text, style
        self.width = 0

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        widest = max(map(cell_len, self._text.split("\n")))
        return Measurement(1, max(1, widest)).clamp(max_width=options.max_width)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.width = options.max_width
        yield Text("\n".join(_wrapped(self._text, self.width, console)), style=self._style)


def _wrapped(text: str, width: int, console: Console) -> list[str]:
    """A text as lines that are no wider than a column."""
    if "\n" not in text and cell_len(text) <= width:
        return [text]
    lines = []
    for part in text.split("\n"):
        words = (shortened(word, width, console) for word in part.split(" "))
        lines += [line.plain.rstrip() for line in Text(" ".join(words)).wrap(console, width)]
    return lines


def shortened(word: str, width: int, console: Console) -> str:
    """A word that is no wider than a column: its beginning and its end, with ``…`` between. An id keeps its version."""
    if cell_len(word) <= width:
        return word
    mark = "~" if console.options.ascii_only else "…"
    version = cell_len(word) - cell_len(word.rpartition("@")[0]) if "@" in word else 0
    tail = version if (width - 1) // 2 < version < width - 2 else (width - 1) // 2
    beginning = set_cell_size(word, width - 1 - tail).rstrip()
    end = set_cell_size(word[::-1], tail).rstrip()[::-1]
    return beginning + mark + end
