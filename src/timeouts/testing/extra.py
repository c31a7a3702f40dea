"""The optional guest: Hypothesis, which the `testing` extra installs.

Law: whoever needs it says so by name when it is missing, and nobody else needs it.
"""

from __future__ import annotations

try:
    import hypothesis
    from hypothesis import strategies
    from hypothesis.errors import Flaky
except ImportError as missing:
    raise ImportError(
        "the strategies and laws of timeouts.testing need Hypothesis, which is not installed: "
        'pip install "timeouts[testing]"'
    ) from missing

__all__ = ["Flaky", "hypothesis", "strategies"]
