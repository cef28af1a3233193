"""The special functions that the families need, in one place."""

from mcvi._kernels.functions.lgamma import (
    digamma,
    digamma_rise,
    digamma_rise_less_log,
    lgamma,
    lgamma_half_difference,
    log_beta,
    trigamma,
)
from mcvi._kernels.functions.ndtr import (
    exp_minus_half_square,
    log_ndtr,
    log_ndtr_derivative,
    log_ndtr_second_derivative,
    ndtr,
    ndtri,
    ndtri_exp,
    scaled_tail,
)
from mcvi._kernels.functions.stirling import bd0, product, quotient, relative_deviance, stirling_error

__all__ = [
    "bd0",
    "digamma",
    "digamma_rise",
    "digamma_rise_less_log",
    "exp_minus_half_square",
    "lgamma",
    "lgamma_half_difference",
    "log_beta",
    "log_ndtr",
    "log_ndtr_derivative",
    "log_ndtr_second_derivative",
    "ndtr",
    "ndtri",
    "ndtri_exp",
    "product",
    "quotient",
    "relative_deviance",
    "scaled_tail",
    "stirling_error",
    "trigamma",
]
