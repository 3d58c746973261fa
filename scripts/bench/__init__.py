"""The benchmark: Muniment against named peers, side by side."""
