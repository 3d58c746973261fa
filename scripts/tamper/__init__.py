"""The tamper matrix: edits of a journal, and what finds each."""
