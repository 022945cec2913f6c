"""`python -m cti_bridge` is the same as the installed program `cti-bridge`."""

import gc

# Nothing that is loaded here is garbage, and the collector would walk through it again and again: a seventh of the time that a
# start takes, and calls are waiting.
gc.disable()

from cti_bridge.cli import main as program  # noqa: E402


def main() -> None:
    """The program."""
    gc.enable()
    program()


if __name__ == "__main__":
    main()
