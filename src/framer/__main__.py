"""`python -m framer` is the command `framer`."""

import sys

from framer._cli import main

if __name__ == "__main__":
    sys.exit(main())
