"""Tables of one's own, in a database that is gone when it is closed."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from ...domain import JournalUnavailable
from .datastore import SQLiteDatastore
from .tables import SQLiteTemporalStore


class ScratchTables(SQLiteTemporalStore):
    """Tables in a temporary file, for those who may not, or do not want to, write where the journal is.

    Raises:
        JournalUnavailable: there is no place for temporary files.
    """

    def __init__(self) -> None:
        try:
            self._folder = TemporaryDirectory(prefix="muniment-", ignore_cleanup_errors=True)
        except OSError as error:
            raise JournalUnavailable(error.filename or "temporary files", error.strerror or str(error)) from error
        self._scratch = SQLiteDatastore(str(Path(self._folder.name) / "tables.db"), synchronous="OFF")
        self._scratch.translate_error = lambda error: JournalUnavailable(self._folder.name, str(error))
        super().__init__(self._scratch)

    def close(self, error: Exception | None = None) -> None:
        """Delete the file; whatever is asked afterwards raises the error."""
        if error is not None:
            self._scratch.translate_error = lambda _: error
        self._scratch.close()
        self._folder.cleanup()
