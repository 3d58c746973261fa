"""The command line."""

from muniment.scripts.cli import (  # they add their commands
    authorities,
    conversations,
    journal,
    protocols,
    sessions,
    undo,
)
from muniment.scripts.cli.base import cli

__all__ = ["authorities", "cli", "conversations", "journal", "protocols", "sessions", "undo"]
