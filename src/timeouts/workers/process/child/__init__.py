"""What runs in the other processes: the keeper, the template, and the workers it gives birth to."""
