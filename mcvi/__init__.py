"""Monte Carlo variational inference: estimators with honest error bars."""
