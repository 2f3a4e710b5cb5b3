"""The command line, as `python -m graftbench`."""

import sys

from graftbench.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
