"""``python -m muniment.scripts.conformance``."""

from muniment.scripts.conformance.run import main

main(prog_name="python -m muniment.scripts.conformance")
