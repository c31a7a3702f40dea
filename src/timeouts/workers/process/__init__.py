"""Process workers: warm processes that can be killed."""
