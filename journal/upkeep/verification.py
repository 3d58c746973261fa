"""Checking a journal from the disk up: the storage, every record, the laws over the whole past, the tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

from ...domain import JournalError, RecordedEvent
from ...domain.laws import Laws
from ...projections import (
    STEP_MS,
    TRACKING,
    Progress,
    Projection,
    Projector,
    Row,
    Stamp,
    Stamps,
    TemporalStore,
    TemporalTable,
)
from ..sqlite.scratch import ScratchTables
from ..storage.application import JournalApplication
from ..storage.engine import Storage
from ..storage.mapper import decode
from ..writing.streams import belongs
from .redeciding import Ahead, Redeciding


class Finding(NamedTuple):
    """Something that is not as it must be, or a note of something that is unusual.

    Attributes:
        layer: ``storage``, ``record``, ``law``, ``decision`` or ``table``.
        position: the position it was found at; None where it is not at one.
        problem: what is wrong, or unusual.
    """

    layer: str
    position: int | None
    problem: str


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What a verification found.

    Attributes:
        events: how many events were read.
        findings: everything that is wrong, lowest layer first.
        notes: what is unusual and right: what only an earlier format's rules or the references' policy allowed, and
            the like.
    """

    events: int
    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...] = ()


def verify(storage: Storage, projections: tuple[Projection, ...], progress: Progress | None) -> VerificationReport:
    """Check everything that can be checked without a second opinion; nothing is written to the journal."""
    try:
        problems = chain(storage.problems(), storage.identity.problems())
        findings = [Finding("storage", None, problem) for problem in problems]
        # Asked before the head: tables that are in use are caught up meanwhile, and never past it.
        present = storage.tables.table_names()
        positions = storage.tables.positions() if TRACKING in present else {}
        head = storage.application.recorder.head()
        past = _Past(storage.application, head, storage.identity.read().format_at, progress)
        findings += sorted(past.check(), key=lambda finding: finding.position or 0)
    except JournalError as error:
        return VerificationReport(0, (Finding("storage", None, str(error)),))
    if past.is_readable:
        past.notes += past.stamps_set_aside()
        findings += _tables(past, storage.tables, present, positions, projections)
    else:
        findings.append(Finding("table", None, "not checked: the events cannot all be read"))
    return VerificationReport(past.count, tuple(findings), tuple(past.notes))


class _Past:
    """The events up to a position, read once to check them and once to fold them."""

    def __init__(
        self,
        application: JournalApplication,
        head: int,
        format_at: Callable[[int], int],
        progress: Progress | None,
    ) -> None:
        self._application = application
        self._head = head
        self._progress = progress
        self._done = 0
        self.count = 0
        self.is_readable = True
        self.notes: list[Finding] = []
        self._format_at = format_at
        self._unreadable: list[Finding] = []
        # Streams of which a record cannot be read, or is missing: what follows there cannot be decided again.
        self._damaged: set[str] = set()
        self._versions: dict[str, tuple[int, int]] = {}
        self._latest_stamp = -1
        self._lowest_stamp: int | None = None
        self._laws = Laws()
        self._last = 0

    def head(self) -> int:
        return self._head

    def read(self, after: int, limit: int) -> Iterator[RecordedEvent]:
        """Decode records for folding."""
        rows = self._application.recorder.select_rows(after, min(limit, self._head - after))
        yield from map(decode, rows)
        self._advance(len(rows))

    def check(self) -> Iterator[Finding]:
        """Read every row; say what is wrong with it, and decide every event again."""
        ahead = Ahead(self._records())
        redeciding = Redeciding(self._application, self._format_at, ahead)
        for record in ahead:
            self._notice_stamp(record.metadata.recorded_at)
            order = list(self._check_order(record))
            yield from order
            broken = list(self._laws.broken_by(record))
            self._last = record.position
            yield from (Finding("law", record.position, problem) for problem in broken)
            if order:
                self._damaged.add(record.stream)
            verdict = redeciding.verdict(record)
            if verdict is None:
                continue
            # What breaks a law is no decision either, and need not be told twice; nor what follows from damage.
            if verdict.problem and not broken and record.stream not in self._damaged:
                yield Finding("decision", record.position, f"{record.id} {verdict.problem}")
            if verdict.note:
                self.notes.append(Finding("decision", record.position, f"{record.id} {verdict.note}"))
        yield from (Finding("law", self._last, problem) for problem in self._laws.at_the_end())
        yield from self._unreadable

    def _records(self) -> Iterator[RecordedEvent]:
        """Every record that can be decoded; what cannot, and what is missing, is put aside."""
        last = 0
        for rows in self._application.recorder.pages(through=self._head):
            for row in rows:
                position = row[0]
                if position != last + 1:
                    missing = f"positions {last + 1} to {position - 1} are missing"
                    self._unreadable.append(Finding("record", position, missing))
                last = position
                self.count += 1
                try:
                    yield decode(row)
                except JournalError as error:
                    self.is_readable = False
                    self._damaged.add(str(row[1]))
                    self._unreadable.append(Finding("record", position, str(error)))
            self._advance(len(rows))

    def stamps_set_aside(self) -> Iterator[Finding]:
        """Name the stamps that no clock can have told; only where one stepped back by far is anything read again."""
        if self._lowest_stamp is None:
            return
        stamps, last = Stamps(), dict[str, int]()
        for record in map(decode, chain.from_iterable(self._application.recorder.pages(through=self._head))):
            recorded_at = record.metadata.recorded_at
            # Up to the first stamp that is more than an hour above the lowest, no stamp contradicts another.
            if recorded_at != last.get(record.stream) and (stamps or recorded_at > self._lowest_stamp + STEP_MS):
                stamps.take(Stamp(record.position, recorded_at))
            last[record.stream] = recorded_at
        for stamp in stamps.set_aside():
            yield Finding("record", stamp.position, f"its clock told {stamp.recorded_at} ms, which others contradict")

    def _notice_stamp(self, recorded_at: int) -> None:
        if recorded_at >= self._latest_stamp:
            self._latest_stamp = recorded_at
        elif recorded_at < self._latest_stamp - STEP_MS:
            lowest = self._lowest_stamp
            self._lowest_stamp = recorded_at if lowest is None else min(lowest, recorded_at)

    def _advance(self, count: int) -> None:
        self._done += count
        if self._progress is not None:
            self._progress(self._done, 2 * self._head)

    def _check_order(self, record: RecordedEvent) -> Iterator[Finding]:
        version, recorded_at = self._versions.get(record.stream, (0, 0))
        if record.version != version + 1:
            yield Finding("record", record.position, f"{record.id} does not follow version {version} of its stream")
        if record.metadata.recorded_at < recorded_at:
            yield Finding("record", record.position, f"{record.id} was recorded before the event that it follows")
        if not belongs(record):
            yield Finding("record", record.position, f"{record.id} holds an event of another stream")
        self._versions[record.stream] = (record.version, record.metadata.recorded_at)


def _tables(
    past: _Past,
    store: TemporalStore,
    present: set[str],
    positions: dict[str, int],
    projections: tuple[Projection, ...],
) -> Iterator[Finding]:
    """Fold the events into fresh tables elsewhere, and compare them with the stored ones, row by row."""
    head = past.head()
    fresh = ScratchTables()
    try:
        projector = Projector(fresh, projections, past)
        for projection in projections:
            reached = positions.get(projection.tracking_name, 0)
            missing = [table for table in projection.tables if table.physical_name not in present]
            if reached > head:
                yield Finding("table", None, f"{projection.name} claims position {reached}, and the end is {head}")
            if missing and reached:
                yield Finding("table", None, f"{missing[0].name} is missing; opening the journal rebuilds it")
            if missing:
                continue
            # The rows first: those that come meanwhile come with a later position.
            last = max(map(store.last_position, projection.tables))
            if last > store.positions().get(projection.tracking_name, 0):
                yield Finding("table", None, f"{projection.name} has rows of events that it claims not to have reached")
            if not reached:
                continue
            try:
                projector.catch_up(projection.name)
                for table in projection.tables:
                    until = min(reached, head)
                    yield from _compare(table, store.scan(table, until), fresh.scan(table, until))
            except JournalError as error:
                yield Finding("table", None, f"{projection.name} cannot be compared: {error}")
    finally:
        fresh.close()


def _order(table: TemporalTable, row: Row) -> list[tuple[bool, bool, Any]]:
    """What rows are walked by, in the order of the columns' own types; what has none of these comes last."""
    return [(isinstance(each, bytes), isinstance(each, str), each) for each in table.order(row)]


def _compare(table: TemporalTable, stored: Iterator[Row], expected: Iterator[Row]) -> Iterator[Finding]:
    """Walk two sorted runs of rows; say which rows only one of them has."""
    mine, theirs = next(stored, None), next(expected, None)
    while mine is not None or theirs is not None:
        if mine == theirs:
            mine, theirs = next(stored, None), next(expected, None)
        elif theirs is None or (mine is not None and _order(table, mine) <= _order(table, theirs)):
            row = mine or ()
            yield Finding("table", table.row_position(row), f"{table.name} has a row that no event gives: {row}")
            mine = next(stored, None)
        else:
            problem = f"{table.name} lacks a row that the events give: {theirs}"
            yield Finding("table", table.row_position(theirs), problem)
            theirs = next(expected, None)
