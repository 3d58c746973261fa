"""A persistence module for the ``eventsourcing`` library: an append-only PostgreSQL event store.

Any application of the library can use it: ``PERSISTENCE_MODULE=muniment.journal.postgres``, and the library's own
settings for PostgreSQL. It differs from the library's own module in that

- positions are without gaps: they are given under a lock, and a conflict uses none up;
- triggers refuse to change or delete an event;
- an append is one statement, and one round trip to the server;
- an append that a trigger or rule drops or changes fails;
- an append is never repeated behind the caller's back, since a lost connection does not say whether it was committed;
- subscriptions share one connection; one that meets a lost server ends with its error, and can be taken up again behind
  the last event it gave.
"""

from .recorder import PostgresApplicationRecorder, PostgresFactory, PostgresProcessRecorder

__all__ = ["PostgresApplicationRecorder", "PostgresFactory", "PostgresProcessRecorder"]
