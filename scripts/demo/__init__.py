"""The demonstration: a journal from a recorded trace, and what can be seen in it."""
