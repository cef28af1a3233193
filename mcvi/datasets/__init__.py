"""Problems with a known answer: a log joint density, proposals for it, and the exact log evidence."""

from mcvi.datasets._eight_schools import eight_schools
from mcvi.datasets._gaussian import gaussian
from mcvi.datasets._problem import Problem

__all__ = ["Problem", "eight_schools", "gaussian"]
