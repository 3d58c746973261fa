"""The entry point of the ``muniment`` command."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import Any, Final, NoReturn

INTERRUPTED: Final = 130
"""The exit code of a command that was interrupted, as a shell has it."""

WRONG: Final = 2
"""The exit code of wrong usage or input, and of output that cannot be written. 1 would say that something was found."""


def main() -> None:
    """Run the command line. An expected failure, such as a missing package, is reported in one line."""
    try:
        _open_what_is_closed()
        from muniment.scripts.cli import cli
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        _end(f"the command line needs {error.name}: pip install 'muniment[cli]'")
    except KeyboardInterrupt:
        _end("interrupted", INTERRUPTED)
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown as an escape.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        _end("the output cannot be written: stdout is closed")
    _run(cli)


def _open_what_is_closed() -> None:
    """Put nothing where stdin or stderr is closed; a file of the journal's would be opened in its place otherwise."""
    if sys.stdin is None:
        sys.stdin = os.fdopen(os.open(os.devnull, os.O_RDONLY))
    if sys.stderr is None:
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")


def _run(cli: Any) -> NoReturn:
    import click

    try:
        code = _outcome(cli)
    except (KeyboardInterrupt, click.Abort):
        _end("interrupted", INTERRUPTED)
    except OSError as error:
        # The journal's own are typed; this one is from printing.
        _end(f"the output cannot be written: {error.strerror or error}")
    except Exception:
        # A fault of the program, which has not found what it looks for.
        traceback.print_exc()
        code = WRONG
    sys.exit(code)


def _outcome(cli: Any) -> int:
    import click
    from muniment.scripts.output import error_envelope_of

    stdout = sys.stdout
    try:
        code = cli.main(prog_name="muniment", standalone_mode=False)
    except SystemExit as end:
        code = end.code
    except click.ClickException as error:
        if "--json" in sys.argv:
            error_envelope_of("wrong_usage", error.format_message(), {})
        else:
            error.show()
        code = WRONG
    if sys.stdout is not stdout:
        # Whoever read the output has had enough, and click has put something in its place.
        os._exit(WRONG)
    # Only now is it known whether what was printed could be written.
    stdout.flush()
    return code if isinstance(code, int) else 0


def _end(message: str, code: int = WRONG) -> NoReturn:
    with suppress(Exception):
        print(f"Error: {message}", file=sys.stderr, flush=True)
    # Not by the interpreter, which would try once more to write what cannot be written, and say so.
    os._exit(code)


if __name__ == "__main__":
    main()
