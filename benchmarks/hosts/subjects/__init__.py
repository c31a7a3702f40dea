"""One file a host: `HOST`, and a server to start for those that run in a process of their own."""
