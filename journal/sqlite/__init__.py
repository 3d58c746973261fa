"""A persistence module for the ``eventsourcing`` library: an append-only SQLite event store.

Any application of the library can use it: ``PERSISTENCE_MODULE=muniment.journal.sqlite`` and ``SQLITE_DBNAME``.
It differs from the library's own SQLite module in that

- positions are explicit and never reused, and triggers refuse to change or delete an event;
- transactions that write start with ``BEGIN IMMEDIATE``, so that they wait their turn instead of failing halfway;
- what is acknowledged is on the disk (``PRAGMA synchronous=FULL``), unless ``SQLITE_SYNCHRONOUS`` says otherwise;
- one process writes through one connection, readers never wait for it, and processes that write take turns;
- it can be subscribed to, across processes.
"""

from .recorder import SQLiteApplicationRecorder, SQLiteFactory, SQLiteProcessRecorder

__all__ = ["SQLiteApplicationRecorder", "SQLiteFactory", "SQLiteProcessRecorder"]
