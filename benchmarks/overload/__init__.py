"""`timeouts serve` and LitServe under more work than they can do: real servers, real work, clients that leave."""
