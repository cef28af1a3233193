"""What symmetric families of a location and a scale share: all but the standard distribution's own functions."""

from typing import Any, ClassVar

from mcvi._typing import ArrayLike
from mcvi.distributions._base.univariate import Univariate, log_of

__all__ = ["SymmetricLocationScale"]


class SymmetricLocationScale(Univariate):
    """A family of ``loc + scale * noise`` with noise that is symmetric about 0.

    A subclass has the fields `loc` and `scale` and gives what it can of ``_standard_cdf(t)``, ``_standard_quantile(p)``
    and, if it knows better than the log of the cdf, ``_standard_log_cdf(t)``: those of the noise.
    """

    loc: ArrayLike
    scale: ArrayLike

    pathwise = True
    _standard: ClassVar[tuple[float, ...] | None] = (0.0, 1.0)
    _rules: ClassVar[dict[str, str]] = {"loc": "finite", "scale": "positive"}

    def transport(self, noise: Any) -> Any:
        """Return ``loc + scale * noise``."""
        if self._standard is None:
            return super().transport(noise)
        return self.loc + self.scale * noise

    def _mean(self) -> Any:
        return self.loc

    def _mode(self) -> Any:
        return self.loc

    def _standardised(self, value: Any) -> Any:
        return (value - self.loc) / self.scale

    def _standard_log_cdf(self, t: Any) -> Any:
        return log_of(self._cdf_of_noise(t), self._cdf_of_noise(-t))

    def _cdf_of_noise(self, t: Any) -> Any:
        return self._ability("_standard_cdf", "cdf")(t)

    def _cdf(self, value: Any) -> Any:
        return self._cdf_of_noise(self._standardised(value))

    def _log_cdf(self, value: Any) -> Any:
        return self._standard_log_cdf(self._standardised(value))

    def _survival_function(self, value: Any) -> Any:
        return self._cdf_of_noise(-self._standardised(value))

    def _log_survival_function(self, value: Any) -> Any:
        return self._standard_log_cdf(-self._standardised(value))

    def _quantile(self, probability: Any) -> Any:
        return self.loc + self.scale * self._ability("_standard_quantile", "quantile")(probability)
