"""Ray workers: actors on however many machines a cluster has, killed on expiry and replaced."""
