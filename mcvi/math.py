"""Functions of numbers and arrays."""

from scipy.special import digamma, log_ndtr, ndtr, ndtri
from scipy.special import gammaln as lgamma

__all__ = ["digamma", "lgamma", "log_ndtr", "ndtr", "ndtri"]
