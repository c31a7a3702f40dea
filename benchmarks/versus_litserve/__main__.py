"""Run the comparison: `python benchmarks/versus_litserve`, or `python -m benchmarks.versus_litserve`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from versus_litserve.cli import main

    main()
