"""A pager for what a person reads on a terminal, as git has it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from typing import Any, Final, TextIO, cast

import click

_NONE: Final = ("", "cat")


@contextmanager
def paged() -> Iterator[None]:
    """Send what a block prints through the pager, if stdout is a terminal.

    ``MUNIMENT_PAGER``, or else ``PAGER``, names it; empty, or ``cat``, it is none. ``less`` is told, unless ``LESS``
    says otherwise, to end by itself where the output fits the screen. A reader who leaves the pager early has had
    enough: the block ends, which is no error.
    """
    pager = os.environ.get("MUNIMENT_PAGER", os.environ.get("PAGER", "less")).strip()
    if pager in _NONE or not sys.stdout.isatty():
        yield
        return
    os.environ["PAGER"] = pager
    os.environ.setdefault("LESS", "-FRX")
    paged = _Paged(sys.stdout)
    try:
        with paged.pager, redirect_stdout(cast(TextIO, paged)):
            yield
    finally:
        for message in paged.messages:
            click.echo(message, err=True)


def say_after_paging(message: str) -> bool:
    """Keep a message for stderr until the pager is gone, which would draw over it.

    Returns:
        Whether there is a pager.
    """
    if not isinstance(sys.stdout, _Paged):
        return False
    sys.stdout.messages.append(message)
    return True


class _Paged:
    """A terminal behind a pager, which begins when something is printed: not under a progress bar or a question."""

    def __init__(self, terminal: TextIO) -> None:
        self.pager = ExitStack()
        self.messages: list[str] = []
        self._terminal = terminal
        self._output: TextIO | None = None

    def write(self, text: str) -> int:
        if self._output is None:
            self._terminal.flush()
            with redirect_stdout(self._terminal):
                self._output = self.pager.enter_context(click.get_pager_file())
        return self._output.write(text)

    def flush(self) -> None:
        if self._output is not None:
            self._output.flush()

    def __getattr__(self, name: str) -> Any:
        # How wide it is, which characters it has, that it is a terminal: what a person sees.
        return getattr(self._terminal, name)
