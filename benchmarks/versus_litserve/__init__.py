"""LitServe beside `timeouts serve`: real servers, the same work, the same machine, the same run."""
