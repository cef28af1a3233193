"""Variational inference: evidence lower bounds and their fitting."""

from mcvi.vi.elbo import elbo, elbo_with_log_joint

__all__ = ["elbo", "elbo_with_log_joint"]
