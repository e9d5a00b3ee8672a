"""Give people at a terminal the commands they know."""
