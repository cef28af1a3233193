"""The class of families of ``loc + scale * T``: all that follows from a few numbers of the standard variable T."""

from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi._typing import Parameter
from mcvi.distributions._base.univariate import Univariate

__all__ = ["LocationScale"]


class LocationScale(Univariate):
    """A family of ``loc + scale * noise``, where the noise is a draw of the standard distribution.

    A subclass has the fields `loc` and `scale`, and states what is known of the standard distribution: its mean, mode,
    variance, entropy, and the Fisher information of location and scale there. It lacks what it does not state.
    """

    loc: Parameter
    scale: Parameter

    pathwise = True
    _standard: ClassVar[tuple[float, ...] | None] = (0.0, 1.0)
    _standard_mean: ClassVar[float] = 0.0
    _standard_mode: ClassVar[float] = 0.0
    _standard_variance: ClassVar[float | None] = None
    _standard_entropy: ClassVar[float | None] = None
    _standard_fisher: ClassVar[list[list[float]] | None] = None

    def transport(self, noise: Any) -> Any:
        """Return ``loc + scale * noise``."""
        return self.loc + self.scale * noise

    def _mean(self) -> Any:
        return self.loc + self._standard_mean * self.scale if self._standard_mean else self.loc

    def _mode(self) -> Any:
        return self.loc + self._standard_mode * self.scale if self._standard_mode else self.loc

    def _variance(self) -> Any:
        return self._ability("_standard_variance", "closed-form variance") * self.scale**2

    def _entropy(self) -> Any:
        return anp.log(self.scale) + self._ability("_standard_entropy", "closed-form entropy")

    def _fisher(self) -> Any:
        standard = self._ability("_standard_fisher", "closed-form Fisher information")
        scale = np.broadcast_to(self.untraced.scale, self.batch_shape)[..., None, None]
        return np.array(standard) / scale / scale  # the square of a tiny scale would be 0
