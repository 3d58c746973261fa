"""``python -m muniment.scripts.tamper``."""

from muniment.scripts.tamper.run import main

main(prog_name="python -m muniment.scripts.tamper")
