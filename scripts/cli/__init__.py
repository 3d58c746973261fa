"""The command line."""

from muniment.scripts.cli import authorities, conversations, journal, sessions, undo  # they add their commands
from muniment.scripts.cli.base import cli

__all__ = ["authorities", "cli", "conversations", "journal", "sessions", "undo"]
