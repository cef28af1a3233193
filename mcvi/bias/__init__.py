"""Bias against sample size: the mean of an estimate from n draws, compared with its limit."""

from mcvi.bias._curve import BiasCurve
from mcvi.bias._power_law import PowerLaw, fit_power_law
from mcvi.bias._study import StudyInterrupted, bias_curve

__all__ = ["BiasCurve", "PowerLaw", "StudyInterrupted", "bias_curve", "fit_power_law"]
