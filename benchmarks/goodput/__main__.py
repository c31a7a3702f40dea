"""Run the comparison: `python benchmarks/goodput`, or `python -m benchmarks.goodput`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from goodput.cli import main

    main()
