"""The command line."""

from muniment.scripts.cli import (  # they add their commands
    authorities,
    branches,
    conversations,
    happened,
    journal,
    past,
    protocols,
    reasons,
    search,
    sessions,
    undo,
)
from muniment.scripts.cli.base import cli

__all__ = [
    "authorities",
    "branches",
    "cli",
    "conversations",
    "happened",
    "journal",
    "past",
    "protocols",
    "reasons",
    "search",
    "sessions",
    "undo",
]
