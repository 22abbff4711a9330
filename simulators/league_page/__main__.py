"""Run the command: ``python -m simulators.league_page``."""

from __future__ import annotations

import sys

from simulators.league_page.command import main

if __name__ == "__main__":
    sys.exit(main())
