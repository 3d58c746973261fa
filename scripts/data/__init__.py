"""Recorded traces that ship with the programs."""
