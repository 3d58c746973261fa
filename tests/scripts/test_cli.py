"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from muniment.domain import Fragments, OwnershipCapability, StaleCapability
from muniment.journal import MAX_LINE_BYTES, Journal
from muniment.scripts.cli import cli

from ..conftest import Clock
from .conftest import Run, data


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A journal with a little history, one second an event."""
    url = f"sqlite:///{tmp_path}/journal.db"
    clock = Clock(0)

    def tick() -> int:
        clock.now += 1_000
        return clock.now

    with Journal.open(url, clock=tick) as journal, journal.context(actor="tests"):
        journal.sessions.open("s-42", roles=["coordinator", "worker"])
        held = journal.sessions.claim("s-42", "agent-a")
        receipt = journal.sessions.begin_transfer(held, "agent-b", Fragments({"bundle:chat"}))
        journal.sessions.commit_transfer(receipt)
        journal.sessions.open("[red]s-43")
        with pytest.raises(StaleCapability):
            journal.sessions.check(held)
    return url


def test_owners_now_and_then(muniment: Run) -> None:
    row = data(muniment("owners", "--json"))[1]
    assert row == {
        "session_id": "s-42",
        "owner": "agent-b",
        "generation": 2,
        "scope": ["bundle:chat"],
        "status": "active",
        "since": 4,
    }
    assert data(muniment("owners", "--at", 3, "--json"))[0]["owner"] == "agent-a"
    assert data(muniment("owners", "--at", "1970-01-01T00:00:03.999Z", "--json"))[0]["owner"] == "agent-a"
    assert data(muniment("owners", "--at", "1970-01-01T01:00:04+01:00", "--json"))[0]["owner"] == "agent-b"
    assert data(muniment("owners", "--at", 0, "--json")) == []


def test_people_get_tables_without_markup_or_colour(muniment: Run) -> None:
    result = muniment("owners")
    assert result.exit_code == 0
    assert "[red]s-43" in result.stdout
    assert "\x1b" not in result.stdout
    assert "fragments {bundle:chat}" in result.stdout
    assert "as of position 6" in result.stdout


def test_a_long_table_is_plain_and_aligned(muniment: Run, url: str) -> None:
    with Journal.open(url) as journal:
        for number in range(300):
            journal.sessions.open(f"session-{number:03}")
    lines = muniment("owners").stdout.splitlines()
    assert lines[2].split() == ["session", "owner", "generation", "scope", "status", "since"]
    assert len(lines) == 4 + 302 + 1
    row = next(line for line in lines if line.startswith("s-42"))
    assert row.index("active") == lines[2].index("status")
    assert row.endswith("  4")


def test_log(muniment: Run) -> None:
    positions = [each["position"] for each in data(muniment("log", "--json"))]
    assert positions == [6, 5, 4, 3, 2, 1]
    assert [each["position"] for each in data(muniment("log", "--reverse", "-n", 2, "--json"))] == [1, 2]
    assert [each["position"] for each in data(muniment("log", "-n", 2, "--json"))] == [6, 5]
    session = data(muniment("log", "s-42", "--json"))
    assert [each["version"] for each in session] == [5, 4, 3, 2, 1]
    assert session[-1]["metadata"] == {"recorded_at": 1_000, "actor": "tests"}
    assert session[-1]["time"] == "1970-01-01T00:00:01.000Z"
    limited = muniment("log", "-n", 2)
    assert "--limit 0 lists all" in limited.stderr
    assert "session.capability_rejected.v1" in limited.stdout
    assert muniment("log", "-n", 0).stderr == ""


def test_tail(muniment: Run) -> None:
    lines = muniment("tail", "-n", 2).stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["5", "6"]
    opened = muniment("tail", "--type", "session.opened.v1", "--json").stdout.splitlines()
    assert [json.loads(line)["position"] for line in opened] == [1, 5]
    assert muniment("tail", "--type", "nonsense").exit_code == 2


def test_tail_goes_on_behind_a_cursor(muniment: Run, tmp_path: Path) -> None:
    printed = [json.loads(line) for line in muniment("tail", "--json").stdout.splitlines()]
    for after in (4, printed[3]["cursor"]):
        assert [line.split()[0] for line in muniment("tail", "--after", after).stdout.splitlines()] == ["5", "6"]
    assert muniment("tail", "--after", printed[-1]["cursor"], "--json").stdout == ""
    assert muniment("tail", "--after", 0).stdout == muniment("tail").stdout
    for nonsense in ("7", "-1", "HEAD", "9" * 30, ""):
        refused = muniment("tail", "--after", nonsense)
        assert (refused.exit_code, refused.stdout) == (2, "")
    backup = f"sqlite:///{tmp_path}/backup.db"
    muniment("backup", tmp_path / "backup.db")
    with Journal.open(backup) as journal:
        journal.sessions.open("s-7")
        cursor = journal.cursor()
    assert muniment("tail", "--after", cursor, "--journal", backup).exit_code == 0
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        journal.sessions.open("s-8")
    assert data(muniment("mark-restored", "--json", "--journal", backup))["restore"] not in cursor
    assert "behind position 7" in muniment("mark-restored").stdout
    refused = muniment("tail", "--after", cursor, "--json")
    assert (refused.exit_code, json.loads(refused.stderr)["error"]["code"]) == (2, "other_past")


def test_an_export_that_was_cut_off_is_imported_only_as_unmarked(muniment: Run, tmp_path: Path) -> None:
    lines = muniment("export").stdout.splitlines(keepends=True)
    target = f"sqlite:///{tmp_path}/target.db"
    cut_off = tmp_path / "export.jsonl"
    for kept in (0, 4):
        cut_off.write_text("".join(lines[:kept]))
        refused = muniment("import", cut_off, "--journal", target)
        assert refused.exit_code == 2
        assert "cut off" in refused.stderr
    assert "4 events imported" in muniment("import", cut_off, "--unmarked", "--journal", target).stdout
    unreadable = muniment("import", "/proc/self/mem", "--journal", f"sqlite:///{tmp_path}/empty.db")
    assert (unreadable.exit_code, unreadable.stderr) == (2, "Error: FILE cannot be read: Input/output error\n")
    endless = CliRunner().invoke(cli, ["import", "-", "--journal", "memory://"], input=b"x" * (2 * MAX_LINE_BYTES))
    assert endless.exit_code == 2
    assert "line 1: has more than" in endless.stderr


def test_tail_follows_until_it_is_interrupted(url: str) -> None:
    command = [sys.executable, "-m", "muniment.scripts.main", "tail", "-f", "-n", "1", "--journal", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as tail:
        assert tail.stdout is not None
        assert tail.stdout.readline().startswith("6  ")
        with Journal.open(url) as journal:
            for position in (7, 8):
                journal.sessions.open(f"s-{position}")
                assert tail.stdout.readline().startswith(f"{position}  ")
        tail.send_signal(signal.SIGINT)
        assert tail.wait(30) == 0
        assert tail.stderr is not None
        assert tail.stderr.read().strip() == ""


def test_show(muniment: Run) -> None:
    record = data(muniment("show", 4, "--json"))
    assert record["id"] == "session-s-42@4"
    assert record["data"]["capability"]["scope"] == ["bundle:chat"]
    assert "session.transfer_committed.v1" in muniment("show", 4).stdout


def test_audit(muniment: Run) -> None:
    trail = data(muniment("audit", "s-42", "--json"))
    assert [(each["event"], each["kind"]) for each in trail] == [
        ("issued", "ownership_capability"),
        ("issued", "ownership_receipt"),
        ("invalidated", "ownership_capability"),
        ("committed", "ownership_receipt"),
        ("issued", "ownership_capability"),
        ("rejected", "ownership_capability"),
    ]
    assert len(data(muniment("audit", "s-42", "--at", 2, "--json"))) == 1
    assert "capability is not live" in muniment("audit").stdout


def test_a_refusal_that_is_recorded_in_brief_says_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.db"
    wide = Fragments(f"{number:03}{'x' * 190}" for number in range(900))
    with Journal.open(url) as journal:
        journal.sessions.open("s-1")
        journal.sessions.claim("s-1", "alice")
        with pytest.raises(StaleCapability):
            journal.sessions.check(OwnershipCapability("s-1", "mallory", 9, wide))
    for command in ("audit", "log"):
        told = " ".join(CliRunner().invoke(cli, [command, "--journal", url]).stdout.split())
        assert "mallory" in told
        assert "in brief" in told
        assert len(told) < 2_000


def test_replay_of_an_honest_journal(muniment: Run) -> None:
    facts = data(muniment("replay", "--json"))
    assert (facts["events"], facts["differing_rows"]) == (6, 0)
    assert "0 rows differ" in muniment("replay").stdout


def test_replay_finds_a_changed_row(muniment: Run, tmp_path: Path) -> None:
    data(muniment("owners", "--json"))
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("UPDATE projection_owners_v1_2 SET owner='mallory' WHERE since=4")
    connection.close()
    result = muniment("replay")
    assert result.exit_code == 1
    assert "2 rows differ" in result.stdout
    assert "mallory" in result.stdout
    assert muniment("replay").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["show", "7"],
            "position 7 does not exist; the journal's last position is 6; 'muniment log' shows the positions",
        ),
        (["owners", "--at", "7"], "position 7 does not exist"),
        (["owners", "--at", "tomorrow"], "'tomorrow' is no moment; a moment is said as 4711"),
        (["owners", "--at", "9999-01-01T00:00:00Z"], "9999"),
        (["log", "nobody"], "session 'nobody' was never opened"),
        (["audit", "nobody"], "session 'nobody' was never opened"),
        (["show", "0"], "position 0 does not exist"),
        (["show", "9" * 20], "is no moment"),
        (["show", "9" * 18], "does not exist"),
        (["show", "session-s-42@9"], "there is no event 'session-s-42@9'"),
        (["log", "-n", "9" * 20], "Invalid value"),
        (["owners", "--at", "9" * 5_000], "is too long for a moment"),
        (["log", "\udcff"], "surrogate"),
        (["audit", "\udcff"], "surrogate"),
        (["backup", "/dev/null/x"], "cannot be used"),
        (["backup", "a" * 5_000], "more than 255 bytes"),
        (["show"], "Missing argument"),
        (["frobnicate"], "No such command"),
        (["owners", "--journal", "nonsense"], "url must be sqlite:///relative.db"),
        (["owners", "--journal", "sqlite:///missing.db"], "there is no journal at"),
    ],
)
def test_wrong_input_is_one_line_and_exit_code_2(muniment: Run, arguments: list[str], message: str) -> None:
    result = muniment(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr


def test_errors_as_json(muniment: Run) -> None:
    result = muniment("show", 9, "--json")
    assert result.exit_code == 2
    assert json.loads(result.stderr) == {
        "error": {
            "code": "unknown_position",
            "message": "position 9 does not exist; the journal's last position is 6; "
            "'muniment log' shows the positions",
            "facts": {"position": 9, "head": 6},
        }
    }


def test_files_that_are_no_journals(muniment: Run, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").touch()
    for name, message in (
        ("text", "not an SQLite database"),
        ("empty", "it is empty"),
        ("", "it is a folder"),
        ("gone/x.db", "there is no journal"),
    ):
        result = muniment("owners", "--journal", f"sqlite:///{tmp_path / name}")
        assert result.exit_code == 2
        assert message in result.stderr
    assert (tmp_path / "text").read_text() == "hello"
    assert (tmp_path / "empty").read_bytes() == b""


def test_a_locked_journal(muniment: Run, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    result = muniment("replay", "--lock-timeout", "0.05")
    other.execute("ROLLBACK")
    other.close()
    assert result.exit_code == 2
    assert "stayed locked by another process or thread for 50 ms" in result.stderr


def test_damaged_and_unknown_events(muniment: Run, tmp_path: Path) -> None:
    connection = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    connection.execute("DROP TRIGGER stored_events_refuse_update")
    connection.execute("UPDATE stored_events SET topic='os.system' WHERE position=2")
    connection.execute("UPDATE stored_events SET state='{}' WHERE position=3")
    connection.close()
    unknown = muniment("owners")
    assert unknown.exit_code == 2
    assert "event session-s-42@2 at position 2 has the unknown type 'os.system'" in unknown.stderr
    damaged = muniment("show", 3)
    assert damaged.exit_code == 2
    assert "event session-s-42@3 at position 3 (session.transfer_begun.v1) is damaged" in damaged.stderr
    assert data(muniment("show", 4, "--json"))["position"] == 4


def test_verify(muniment: Run, tmp_path: Path) -> None:
    data(muniment("owners", "--json"))
    assert data(muniment("verify", "--json")) == {"events": 6, "findings": [], "notes": []}
    assert "6 events read; 0 findings" in muniment("verify").stdout
    path = tmp_path / "journal.db"
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("UPDATE projection_owners_v1_2 SET owner='mallory' WHERE since=4")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    found = muniment("verify", "--json")
    assert found.exit_code == 1
    assert {each["layer"] for each in json.loads(found.stdout)["data"]["findings"]} == {"table"}
    assert "mallory" in muniment("verify").stdout
    path.write_bytes(path.read_bytes()[:5_000])
    cut_off = muniment("verify", "--json")
    assert cut_off.exit_code == 1
    assert json.loads(cut_off.stdout)["data"]["findings"][0]["layer"] == "storage"
    assert muniment("owners").exit_code == 2


def test_backup_export_and_import(muniment: Run, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    assert data(muniment("backup", copy, "--json"))["events"] == 6
    assert muniment("backup", copy).exit_code == 2
    assert muniment("verify", "--journal", f"sqlite:///{copy}").exit_code == 0
    exported = muniment("export")
    assert exported.exit_code == 0
    lines = tmp_path / "export.jsonl"
    lines.write_text(exported.stdout)
    target = f"sqlite:///{tmp_path}/imported.db"
    assert data(muniment("import", lines, "--journal", target, "--json"))["events"] == 6
    assert muniment("export", "--journal", target).stdout == exported.stdout
    again = muniment("import", lines, "--journal", target)
    assert again.exit_code == 2
    assert "not empty" in again.stderr
    lines.write_text(exported.stdout.replace("agent-b", "", 1))
    refused = muniment("import", lines, "--journal", f"sqlite:///{tmp_path}/refused.db")
    assert refused.exit_code == 2
    assert "line " in refused.stderr
    piped = f"sqlite:///{tmp_path}/piped.db"
    result = CliRunner().invoke(cli, ["import", "-", "--journal", piped], input=exported.stdout)
    assert "6 events imported" in result.stdout


def test_every_command_has_help_and_knows_json() -> None:
    for name, command in cli.commands.items():
        assert command.help, name
        assert any("--json" in option.opts for option in command.params), name
        assert CliRunner().invoke(cli, [name, "--help"]).exit_code == 0


def test_the_same_commands_on_a_server(postgres_url: str, url: str, tmp_path: Path) -> None:
    def run(*arguments: str, journal: str = postgres_url) -> str:
        result = CliRunner().invoke(cli, [*arguments, "--journal", journal])
        assert "Traceback" not in result.output
        assert result.exit_code == 0, result.output
        assert result.stderr == ""
        return result.stdout

    exported = tmp_path / "export.jsonl"
    exported.write_text(run("export", journal=url))
    assert run("import", str(exported)) == "6 events imported\n"
    assert run("export") == exported.read_text()
    for command in (
        ["owners"],
        ["owners", "--at", "2"],
        ["audit", "s-42"],
        ["log"],
        ["show", "4"],
        ["tail", "-n", "2"],
    ):
        assert run(*command).split("\n", 1)[1] == run(*command, journal=url).split("\n", 1)[1]
    assert run("verify") == "6 events read; 0 findings\n"
    assert "0 rows differ" in run("replay")
    assert "6 events copied" in run("backup", str(tmp_path / "copy.db"))
    assert run("export", journal=f"sqlite:///{tmp_path}/copy.db") == exported.read_text()
    assert json.loads(run("owners", "--json"))["position"] == 6


def test_reading_where_nothing_may_be_written(postgres_url: str) -> None:
    with Journal.open(postgres_url) as journal:
        journal.sessions.open("s-1")
        journal.sessions.claim("s-1", "alice")
    url = f"{postgres_url}&options=-c%20default_transaction_read_only%3Don"
    for command in ("owners", "audit", "log", "verify", "tail", "export"):
        result = CliRunner().invoke(cli, [command, "--journal", url])
        assert (result.exit_code, result.stderr) == (0, ""), command
        assert command == "verify" or "alice" in result.stdout
    refused = CliRunner().invoke(cli, ["replay", "--journal", url])
    assert refused.exit_code == 2
    assert "read-only" in refused.stderr


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@/db?host={tmp_path}"
    for command in ("owners", "log", "verify", "import"):
        arguments = [command, "-"] if command == "import" else [command]
        result = CliRunner().invoke(cli, [*arguments, "--journal", url], input="")
        assert result.exit_code == 2
        assert result.stdout == ""
        assert "cannot be used" in result.stderr
        assert "secret" not in result.output


def test_demo_end_to_end(tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "muniment.scripts.main", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, env={**os.environ})

    first = run("demo")
    assert (first.returncode, first.stderr) == (0, "")
    assert "6578 recorded commands given" in first.stdout
    assert "StaleCapability: session" in first.stdout
    assert "3599 events are in" in first.stdout
    assert "kitchen is started, fed, handed on in the middle of an order" in first.stdout
    assert "The order that it left was delivered again: 1 acknowledged, 1 lost with the end." in first.stdout
    assert "selection to reelection: no_commit" in first.stdout
    assert "Done late: freeze by 1500 ms." in first.stdout
    assert "tables included: 0 findings" in first.stdout
    assert "which permits more than Muniment's laws do" in first.stdout
    with Journal.open(tmp_path / "muniment-demo.db", read_only=True) as journal:
        began, ended = (journal.record(at).metadata.recorded_at for at in (1, journal.head()))
        # What is asked about a time of the day has an answer.
        assert 9 < (ended - began) / 3_600_000 < 10
    suggestions = first.stdout.partition("Try next:\n")[2].splitlines()
    assert len(suggestions) == 11
    for suggestion in suggestions:
        # As typed, in the folder where the demo was.
        followed = subprocess.run(suggestion, cwd=tmp_path, shell=True, capture_output=True, text=True, check=False)
        assert followed.returncode == 0, followed.stderr
        assert followed.stdout
    again = run("demo", "--json")
    assert json.loads(again.stdout)["data"]["events"] == 3_599
    assert sorted(each.name for each in tmp_path.glob("*.db")) == ["muniment-demo-2.db", "muniment-demo.db"]
    refused = run("demo", "muniment-demo.db")
    assert refused.returncode == 2
    assert "exists already" in refused.stderr
    assert run("demo", "no/such/folder.db").returncode == 2


def test_the_benchmark_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from muniment.scripts.bench.run import main, print_tables

    result = CliRunner().invoke(main, ["--quick", "--json", "--folder", str(tmp_path)])
    facts = json.loads(result.stdout)["data"]
    assert {engine: len(rates) for engine, rates in facts["commands_per_second"].items()} == {
        "sqlite": 5,
        "postgres": 4,
    }
    assert {engine: list(each) for engine, each in facts["microseconds_per_tick"].items()} == {
        engine: ["20 conversations", "100 conversations"] for engine in ("sqlite", "postgres")
    }
    assert all(rate > 0 for rates in facts["commands_per_second"].values() for rate in rates.values())
    assert list(tmp_path.iterdir()) == []
    print_tables(facts)
    assert "Muniment, 256 asyncio tasks" in capsys.readouterr().out


def test_many_notes_are_shown_in_part_and_told_whole_as_json(muniment: Run, tmp_path: Path) -> None:
    now = iter([wild if number % 4 == 0 else 1_000 for number, wild in enumerate(range(10**12, 10**12 + 100))] * 2)
    url = f"sqlite:///{tmp_path}/notes.db"
    with Journal.open(url, clock=lambda: next(now)) as journal:
        for number in range(100):
            journal.sessions.open(f"s-{number}")
    shown = muniment("verify", "--journal", url)
    assert shown.exit_code == 0
    assert "100 events read; 0 findings, 25 notes" in shown.stdout
    assert "and 5 more notes; --json has them all" in shown.stdout
    assert len(data(muniment("verify", "--json", "--journal", url))["notes"]) == 25


def test_a_session_says_how_far_it_can_be_claimed(muniment: Run, url: str) -> None:
    assert "can be claimed for" not in muniment("session", "s-42").stdout
    with Journal.open(url) as journal:
        live = journal.sessions.state("s-42").capability
        assert live is not None
        journal.sessions.release(live)
    assert "fragments {bundle:chat}" in muniment("session", "s-42").stdout
    assert "can be claimed for" in muniment("session", "s-42").stdout
    assert data(muniment("session", "s-42", "--json"))["session"]["claimable"] == ["bundle:chat"]
