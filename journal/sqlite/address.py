"""The URLs of journals in SQLite: in a file, or in memory."""

from __future__ import annotations

from typing import Final

from ...domain import InvalidArgument
from ..storage.address import ENGINES, Address, file_address, no_address

_FILE: Final = "sqlite:///"
MEMORY: Final = Address("memory://", ENGINES["memory"], is_stored=False)
"""The address of every journal in memory."""


def parse(url: str) -> Address:
    """Read ``sqlite:///relative.db``, ``sqlite:////absolute.db`` or ``memory://``.

    Raises:
        InvalidArgument: it is another.
    """
    if url == MEMORY.url:
        return MEMORY
    name = url.removeprefix(_FILE)
    if name == url or not name or "\0" in name or name == ":memory:":
        raise no_address(url)
    if "?" in name:
        raise InvalidArgument("url", f"takes no parameters behind a ? for a file, as in {url!r:.300}")
    return file_address("url", name, url)
