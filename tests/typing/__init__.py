"""What the checkers of types are to find; they are run on it, and nothing else is."""
