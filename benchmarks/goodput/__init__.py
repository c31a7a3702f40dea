"""How much of what is possible each policy makes of an overloaded server, in simulation."""
