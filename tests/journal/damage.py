"""Changing a journal's file behind its back, as somebody might who can write it."""

from __future__ import annotations

import sqlite3
from pathlib import Path


def edit(path: Path, *statements: str) -> None:
    """Run statements on a file, past the triggers that keep it append-only."""
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    connection.execute("BEGIN IMMEDIATE")
    triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'").fetchall()
    for name, _ in triggers:
        connection.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        connection.execute(statement)
    for _, sql in triggers:
        connection.execute(sql)
    connection.execute("COMMIT")
    connection.close()
