"""Draw the plots of the page on overload, and write its tables.

    python -m docs.plots

writes `docs/images/overload-*.svg`, each for a light and for a dark page, and what stands between the marks in
`docs/explanation/overload.md`. It takes some two minutes. The same seed gives the same bytes.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))

    from docs.plots.script import main

    main()
