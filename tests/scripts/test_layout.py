"""How a table is fitted: what is cut, what is never cut, and that a long one is printed while its rows are made."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given, strategies as st
from muniment.scripts.layout import PAGE, Tabular, folded, print_table, shortened
from rich.cells import cell_len
from rich.console import Console

WORDS = st.text(st.sampled_from("ab-@19é日本"), min_size=1, max_size=40)


class AsciiOnly(io.StringIO):
    """A terminal that knows no other characters."""

    encoding = "ascii"


def printed(table: Tabular, width: int = 80, *, fitted: bool = True) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    print_table(table, console, fitted=fitted)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined, no-any-return]


@given(word=WORDS, width=st.integers(4, 30))
def test_a_word_keeps_its_beginning_and_its_end(word: str, width: int) -> None:
    short = shortened(word, width, Console(file=io.StringIO()))
    assert cell_len(short) <= width
    if cell_len(word) <= width:
        assert short == word
    else:
        beginning, _, end = short.partition("…")
        assert word.startswith(beginning)
        assert word.endswith(end)


@pytest.mark.parametrize(
    ("word", "width", "short"),
    [
        ("session-agent-f@12", 14, "session…t-f@12"),
        ("session-agent-f@123456", 12, "sess…@123456"),
        ("session-agent-f", 9, "sess…nt-f"),
    ],
)
def test_an_id_keeps_its_version(word: str, width: int, short: str) -> None:
    assert shortened(word, width, Console(file=io.StringIO())) == short
    assert shortened(word, width, Console(file=AsciiOnly())) == short.replace("…", "~")


@given(rows=st.lists(st.tuples(st.integers(0, 10**6), WORDS, st.lists(WORDS, max_size=12).map(" ".join)), max_size=30))
def test_whatever_stands_in_it_a_table_fits(rows: list[tuple[int, str, str]]) -> None:
    lines = printed(Tabular("title", ["position", "event", "what"], rows), 60)
    assert max(map(cell_len, lines)) <= 60
    numbers = {word for line in lines for word in line.split()}
    assert {str(number) for number, _, _ in rows} <= numbers


def test_a_time_is_shown_without_the_day_that_all_share_and_never_cut() -> None:
    columns = ["time", "event", "what"]
    rows = [(f"2026-01-01T10:42:0{number}.123Z", "e" * 40, "word " * 20) for number in range(3)]
    lines = printed(Tabular("events", columns, rows))
    assert lines[0] == "events (2026-01-01)"
    assert [line.split()[0] for line in lines if line.startswith("10:")] == ["10:42:00Z", "10:42:01Z", "10:42:02Z"]
    rows.append(("2026-01-02T00:00:00.000Z", "e" * 40, ""))
    lines = printed(Tabular("events", columns, rows))
    assert lines[0] == "events"
    assert "2026-01-02T00:00:00Z" in {line.split()[0] for line in lines if line}


def test_where_there_is_room_nothing_is_shortened() -> None:
    lines = printed(Tabular("events", ["time", "type"], [("2026-01-01T10:42:00.123Z", "session.closed.v1")]))
    assert lines[-2].split() == ["2026-01-01T10:42:00.123Z", "session.closed.v1"]


def test_columns_share_one_where_there_is_no_room_for_all() -> None:
    table = Tabular("t", ["id", "type", "what", "none"], [("i" * 30, "t" * 30, "w " * 20, None)], ("type", "what"))
    lines = printed(table, 60)
    assert lines[2].split() == ["id", "type,", "what"]
    assert set(lines[4].split()[1]) <= {"t", "…"}
    assert set(lines[5].split()) == {"w"}
    assert printed(table, 200)[2].split() == ["id", "type", "what", "none"]


@pytest.mark.parametrize("fitted", [True, False])
def test_a_long_table_is_printed_while_its_rows_are_made(fitted: bool) -> None:
    made: list[int] = []
    console = Console(file=io.StringIO(), width=60)
    seen: list[str] = []

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(5 * PAGE):
            made.append(number)
            if number == 2 * PAGE:
                seen.append(console.file.getvalue())  # type: ignore[attr-defined]
            # Later values are longer than those by which the widths were chosen.
            yield number, "x" * (number // 10 + 1)

    print_table(Tabular("long", ["number", "text"], rows()), console, fitted=fitted)
    assert len(made) == 5 * PAGE
    assert seen[0].count("\n") > PAGE
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert [int(line.split()[0]) for line in lines[4:-1]] == list(range(5 * PAGE))
    assert (max(map(len, lines)) <= 60) is fitted
    assert ("x" * 100 in lines[-2]) is not fitted


def test_sentences_are_folded_between_words_and_words_are_whole() -> None:
    console = Console(file=io.StringIO(), width=30)
    word = "w" * 40
    assert folded(f"two short words and then {word} behind", console).split("\n") == [
        "two short words and then",
        f"    {word}",
        "    behind",
    ]
    assert folded("as it is", console) == "as it is"
    assert max(map(len, folded(f"a {word}", console, shorten=True).split("\n"))) <= 30
