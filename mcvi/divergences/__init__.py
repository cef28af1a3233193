"""Divergences between distributions."""

from mcvi.distributions._base.kl import register_kl
from mcvi.divergences.kl import kl_divergence

__all__ = ["kl_divergence", "register_kl"]
