"""Sticking the landing: the pathwise derivative without the score of the approximation."""

from typing import Any

__all__ = ["StickingTheLanding", "sticking_the_landing"]


class StickingTheLanding:
    r"""The estimator of a pathwise node whose ``log_prob()`` takes the distribution's parameters as constants.

    .. math:: \nabla_\theta \left[\log p(z_\theta) - \log q_{\bar\theta}(z_\theta)\right], \quad \bar\theta\
    \text{constant}

    In an ELBO it leaves out the score of q, which has mean zero; where q is the posterior its variance is zero. Right
    for losses that hold ``-node.log_prob()`` once and unscaled (the ELBO with one sample in the logarithm); biased for
    bounds with several. `mcvi.vi.elbo` uses it by itself.

    References
    ----------
    Roeder, Wu, Duvenaud (2017), Sticking the landing, NeurIPS.
    """

    stops_parameters = True

    def __call__(self, stochastic_tensor: Any, value: Any, loss: Any) -> Any:
        """Refuse: the estimator needs draws that carry their derivative."""
        raise ValueError(
            f"{stochastic_tensor.name}: sticking_the_landing needs a pathwise node; "
            f"{type(stochastic_tensor.distribution).__name__} is not drawn pathwise here."
        )

    def __repr__(self) -> str:
        return "sticking the landing"


sticking_the_landing = StickingTheLanding()
