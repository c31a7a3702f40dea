"""Lets pages say ```` ```python no-run ````, which GitHub shows as Python but the site's parser does not know.

The word tells the tests of the docs to compile a block without running it; readers need not see it.
"""

import re

_NO_RUN = re.compile(r"^(\s*(?:`{3,}|~{3,})python) no-run[ \t]*$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: object) -> str:
    """Take the word out before the page is rendered."""
    return _NO_RUN.sub(r"\1", markdown)
