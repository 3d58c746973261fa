"""Recorded commands of the reference runtimes, given to Muniment, and their answers compared."""
