"""Keeping a journal in order: verification, replay, exports and copies."""
