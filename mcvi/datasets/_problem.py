"""The description of a problem with a known answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any

import numpy as np

from mcvi._typing import FloatArray, LogDensity

__all__ = ["Problem"]


@dataclass(frozen=True, eq=False)
class Problem:
    """A posterior distribution whose normalising constant is known, with proposals for it.

    Parameters
    ----------
    name : str
        The name of the problem, for tables and figures.
    log_joint : callable
        The log joint density of latents and data: draws ``(n, dim)`` in, ``(n,)`` out; nats, normalised.
    dim : int
        The number of latents.
    log_evidence : float
        The exact logarithm of the integral of the joint density, in nats.
    proposals : mapping
        Distributions with ``event_shape == (dim,)``, by name.
    data : mapping
        The observations, as read-only arrays by name.
    coordinates : tuple of str
        The names of the latents, in order.
    posterior_mean, posterior_stddev : array ``(dim,)``
        The exact mean and standard deviation of each latent under the posterior.
    source, licence : str
        The origin of the data, and their licence.
    limits : mapping
        For each proposal a function of alpha: the exact value of the Renyi bound, which its estimate reaches as the
        number of draws grows; nan where none is known.
    relative_variances : mapping
        For each proposal a function of alpha: the exact variance of the weights to the power ``1 - alpha``, divided by
        the square of their mean; nan where none is known.
    """

    name: str
    log_joint: LogDensity
    dim: int
    log_evidence: float
    proposals: Mapping[str, Any]
    data: Mapping[str, FloatArray]
    coordinates: tuple[str, ...]
    posterior_mean: FloatArray
    posterior_stddev: FloatArray
    source: str
    licence: str
    limits: Mapping[str, Callable[[float], float]] = field(repr=False)
    relative_variances: Mapping[str, Callable[[float], float]] = field(repr=False)

    def __post_init__(self) -> None:
        # Nothing of a problem can be changed, nor of one that comes back from another process.
        frozen = {name: MappingProxyType(dict(getattr(self, name))) for name in _MAPPINGS}
        frozen["data"] = MappingProxyType({name: _read_only(values) for name, values in self.data.items()})
        moments = {name: _read_only(getattr(self, name)) for name in ("posterior_mean", "posterior_stddev")}
        for name, value in {**frozen, **moments}.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        held = {field.name: getattr(self, field.name) for field in fields(self)}
        return type(self), tuple(dict(value) if name in _MAPPINGS else value for name, value in held.items())


_MAPPINGS = ("proposals", "data", "limits", "relative_variances")


def _read_only(values: Any) -> FloatArray:
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array
