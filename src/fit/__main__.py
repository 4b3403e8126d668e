"""The command `fit`: `fit train …` is `python -m fit.train …`, and so on."""

import runpy
import sys
from importlib import metadata
from pathlib import Path

COMMANDS = {
    "train": "fit a function: fit train model=mlp_gelu data=xy_square; with -m, a sweep",
    "predict": "predict with a run: fit predict RUN_FOLDER x=1.5 y=-2",
    "doctor": "explain why a fit failed and what cures it: fit doctor RUN_FOLDER --cure",
    "export": "write a run's network as one file: fit export RUN_FOLDER --format python",
    "report": "redraw a run, or the table and pictures of a sweep: fit report FOLDER",
}


def main() -> int:
    """Run the command that was typed; return 2 for an unknown one."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in COMMANDS:
        del sys.argv[1]
        sys.path.insert(0, str(Path.cwd()))  # as python -m does: where modules of a user's own lie
        runpy.run_module(f"fit.{name}", run_name="__main__", alter_sys=True)
        return 0
    if name == "--version":
        print(metadata.version("fit-networks"))
        return 0
    if name in ("--help", "-h"):
        print("Fit functions with small neural networks, and know how good the fits are.\n")
        print("\n".join(f"  fit {each:<9} {summary}" for each, summary in COMMANDS.items()))
        print("\nEach can also be run as python -m fit.COMMAND; --help explains its options.")
        return 0
    print(f"fit: {name} is not a command: give one of {', '.join(COMMANDS)}, or --version.", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
