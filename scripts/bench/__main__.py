"""``python -m muniment.scripts.bench``."""

from muniment.scripts.bench.run import main

main(prog_name="python -m muniment.scripts.bench")
