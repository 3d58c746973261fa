"""The entry point of the ``muniment`` command."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import Any, Final, NoReturn

INTERRUPTED: Final = 130
"""The exit code of a command that was interrupted, as a shell has it."""

WRONG: Final = 2
"""The exit code of wrong usage or input, and of output that cannot be written. 1 would say that something was found."""


def main() -> None:
    """Run the command line, if what it needs is installed, and whatever goes wrong is one line."""
    try:
        from .cli import cli
    except ModuleNotFoundError as error:
        if error.name not in ("click", "rich"):
            raise
        sys.exit(f"the command line needs {error.name}: pip install 'muniment[cli]'")
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding lacks is shown as an escape.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if sys.stdout is None:
        _end("the output cannot be written: stdout is closed")
    _run(cli)


def _run(cli: Any) -> NoReturn:
    import click

    from .output import error_envelope_of

    stdout, code = sys.stdout, None
    try:
        try:
            code = cli.main(prog_name="muniment", standalone_mode=False)
        except SystemExit as end:
            code = end.code
        if sys.stdout is not stdout:
            # Whoever read the output has had enough, and click has put something in its place.
            os._exit(WRONG)
        # Only now is it known whether what was printed could be written.
        stdout.flush()
    except click.ClickException as error:
        if "--json" in sys.argv:
            error_envelope_of("wrong_usage", error.format_message(), {})
        else:
            error.show()
        sys.exit(WRONG)
    except (KeyboardInterrupt, click.Abort):
        _end("interrupted", INTERRUPTED)
    except OSError as error:
        # The journal's own are typed; this one is from printing.
        _end(f"the output cannot be written: {error.strerror or error}")
    sys.exit(code if isinstance(code, int) else 0)


def _end(message: str, code: int = WRONG) -> NoReturn:
    with suppress(Exception):
        print(f"Error: {message}", file=sys.stderr, flush=True)
    # Not by the interpreter, which would try once more to write what cannot be written, and say so.
    os._exit(code)


if __name__ == "__main__":
    main()
