"""Counter-based random numbers, and the samplers built on them."""
