"""Journals that begin at a moment of another one: its events and tables up to there, and their own in memory."""
