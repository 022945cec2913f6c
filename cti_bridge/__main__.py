"""`python -m cti_bridge` is the same as the installed program `cti-bridge`."""

from cti_bridge.cli import main

main()
