"""`timeouts serve`: the built-in core behind HTTP."""
