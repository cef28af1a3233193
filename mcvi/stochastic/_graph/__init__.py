"""The graph of random draws: nodes, the trace that keeps their dependencies, and what is read off it."""
