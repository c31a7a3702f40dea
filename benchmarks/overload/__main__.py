"""Run the comparison: `python benchmarks/overload`, or `python -m benchmarks.overload`."""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

    from overload.cli import main

    main()
