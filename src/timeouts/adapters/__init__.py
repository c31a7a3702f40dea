"""One file for each host that takes the policies: a framework, a protocol, a client."""
