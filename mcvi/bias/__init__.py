"""Bias against sample size: what an estimator of a bound says at n draws, on average, and what it should say."""

from mcvi.bias._curve import BiasCurve
from mcvi.bias._power_law import PowerLaw, fit_power_law
from mcvi.bias._study import StudyInterrupted, bias_curve

__all__ = ["BiasCurve", "PowerLaw", "StudyInterrupted", "bias_curve", "fit_power_law"]
