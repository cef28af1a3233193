"""Evidence lower bounds of stochastic nodes, to be maximised through `surrogate_loss`."""

from collections.abc import Iterable, Mapping
from functools import reduce
from operator import add
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import value_of
from mcvi.entropy import ELBOForms
from mcvi.stochastic import BaseStochasticTensor, ObservedStochasticTensor, StochasticTensor, dependencies
from mcvi.vi._terms import aligned, checked_form, entropy_term, term_with_prior

__all__ = ["elbo", "elbo_with_log_joint"]


def elbo(
    log_likelihood: Any,
    variational_with_prior: Mapping[StochasticTensor, Any] | None = None,
    keep_batch_dim: bool = True,
    form: ELBOForms | str | None = None,
    *,
    likelihood_scale: float = 1.0,
) -> Any:
    r"""Return a sample of the evidence lower bound :math:`E_q[\log p(x|z)] - \mathrm{KL}(q, p)`.

    Parameters
    ----------
    log_likelihood : array
        :math:`\log p(x|z)` at the draws of the latent nodes, made with `autograd.numpy`. Axes: draws, then batch.
    variational_with_prior : dict
        ``{latent node: its prior}``. Every latent node upstream of the likelihood, of a prior or of another latent
        node must be in it. Observed nodes are data and have no place in it.
    keep_batch_dim : bool
        If True, the bound is shaped like `log_likelihood`, and a node's term is summed over the axes that it lacks
        (from the left). If False, every node's term is summed over all its axes but the draws.
    form : {"default", "analytic_kl", "analytic_entropy", "sample"}
        The form of each node's KL term. The default takes, node by node, the first that exists: the closed-form KL, the
        closed-form entropy with draws for the prior, draws for both. Where a prior depends on the draws of its own
        node, also through a node downstream, the closed-form KL is not the term, and the second is taken.
    likelihood_scale : float
        Multiplies the likelihood: the number of data over the size of a minibatch.

    Returns
    -------
    array
        In the graph of the nodes: hand its negative to `surrogate_loss`, for the gradient also of nodes without a
        pathwise derivative. (`without_graph` gives the numbers.)

    Raises
    ------
    ValueError
        A latent node upstream has no prior, or one of another shape; there is no latent node; shapes that do not align;
        `likelihood_scale` is not positive; ``form="analytic_kl"`` and a prior that depends on its own node.
    TypeError
        `form` is no form; the dict holds something else than latent nodes and distributions.
    NotImplementedError
        There is no closed form and `form` insists on it.

    Notes
    -----
    A node with the estimator `sticking_the_landing` always uses its draws, with constants for parameters in log q.

    References
    ----------
    Kingma, Welling (2014), Auto-encoding variational Bayes; Roeder, Wu, Duvenaud (2017), Sticking the landing.

    Examples
    --------
    A normal mean with a standard normal prior and one observation x = 2: the best q is N(1, 1/2), where the bound is
    the log evidence, log N(2; 0, 2).

    >>> import numpy as np
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import SampleValue, StochasticTensor, without_graph
    >>> from mcvi.vi import elbo
    >>> z = StochasticTensor(Normal(1.0, 0.5**0.5), SampleValue(4), rng=0)
    >>> bound = elbo(Normal(z, 1.0).log_prob(2.0), {z: Normal(0.0, 1.0)}, form="sample")
    >>> bool(np.allclose(without_graph(bound), Normal(0.0, 2.0**0.5).log_prob(2.0)))
    True
    """
    form = checked_form(form)
    log_likelihood = _checks.real_array(log_likelihood, "log_likelihood")
    scale = _checks.real_scalar(likelihood_scale, "likelihood_scale")
    if not 0.0 < scale < np.inf:
        raise ValueError(f"likelihood_scale must be positive and finite; got {scale}.")
    upstream = _latent_nodes(log_likelihood)
    if variational_with_prior is None:
        if not upstream:
            raise ValueError("log_likelihood depends on no stochastic node: there is no bound to take.")
        variational_with_prior = {}
    elif not isinstance(variational_with_prior, Mapping):
        got = type(variational_with_prior).__name__
        raise TypeError(f"variational_with_prior must be a dict, {{node: its prior}}; got {got}.")
    given = dict(variational_with_prior)
    for node, prior in given.items():
        _check_pair(node, prior)
    above = {node: _latent_nodes(prior.log_prob(value_of(node))) for node, prior in given.items()}
    for nodes in (*above.values(), *map(_latent_nodes, given)):
        upstream += [node for node in nodes if not any(node is known for known in upstream)]
    missing = [node.name for node in upstream if not any(node is known for known in given)]
    if missing:
        raise ValueError(
            f"No prior specified for {', '.join(missing)}: pass "
            "variational_with_prior={node: prior} with every latent node."
        )
    terms = [
        (node, term_with_prior(node, prior, form, of_its_draws=any(node is drawn for drawn in above[node])))
        for node, prior in given.items()
    ]
    first = log_likelihood if scale == 1.0 else scale * log_likelihood
    return _bound(first, terms, keep_batch_dim)


def elbo_with_log_joint(
    log_joint: Any,
    variational: Iterable[StochasticTensor] | None = None,
    keep_batch_dim: bool = True,
    form: ELBOForms | str | None = None,
) -> Any:
    r"""Return a sample of the evidence lower bound :math:`E_q[\log p(x,z)] + H[q]`.

    Parameters
    ----------
    log_joint : array
        :math:`\log p(x, z)` at the draws of the latent nodes.
    variational : iterable of nodes, optional
        The latent nodes whose entropies are added; by default all upstream of `log_joint`. Observed nodes are data.
    keep_batch_dim
        See `elbo`.
    form : {"default", "analytic_entropy", "sample"}

    Returns
    -------
    array
        See `elbo`.

    Raises
    ------
    ValueError
        ``form="analytic_kl"``; there is no latent node; shapes that do not align.
    TypeError
        `form` is no form; `variational` holds something else than latent nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import StochasticTensor, without_graph
    >>> from mcvi.vi import elbo_with_log_joint
    >>> z = StochasticTensor(Normal(0.0, 1.0), rng=0)
    >>> bound = elbo_with_log_joint(Normal(0.0, 1.0).log_prob(z), form="sample")
    >>> float(without_graph(bound))
    0.0
    """
    form = checked_form(form)
    if form is ELBOForms.analytic_kl:
        raise ValueError("form 'analytic_kl' is not available with a log joint: use elbo with priors, or another form.")
    log_joint = _checks.real_array(log_joint, "log_joint")
    if variational is None:
        nodes = _latent_nodes(log_joint)
        if not nodes:
            raise ValueError("log_joint depends on no stochastic node: there is no bound to take.")
    else:
        if isinstance(variational, BaseStochasticTensor) or not isinstance(variational, Iterable):
            raise TypeError(f"variational must be a list of latent nodes; got {type(variational).__name__}.")
        nodes = list({id(node): node for node in variational}.values())
        for node in nodes:
            _check_latent(node)
    return _bound(log_joint, [(node, entropy_term(node, form)) for node in nodes], keep_batch_dim)


def _bound(first: Any, terms: list[tuple[StochasticTensor, Any]], keep_batch_dim: bool) -> Any:
    shape = np.shape(value_of(first))
    return reduce(add, (aligned(node, term, shape, keep_batch_dim) for node, term in terms), first)


def _latent_nodes(loss: Any) -> list[StochasticTensor]:
    at_least_one_axis = anp.reshape(loss, (1,)) if np.ndim(value_of(loss)) == 0 else loss
    return [node for node in dependencies([at_least_one_axis]) if isinstance(node, StochasticTensor)]


def _check_latent(node: Any) -> None:
    if isinstance(node, ObservedStochasticTensor):
        raise TypeError(f"{node.name} is observed: it is data, not a variational node.")
    if not isinstance(node, StochasticTensor):
        raise TypeError(f"variational nodes must be StochasticTensor; got {type(node).__name__}.")


def _check_pair(node: Any, prior: Any) -> None:
    _check_latent(node)
    _checks.distribution(prior, f"{node.name}: its prior")
    q = node.distribution
    batch = np.shape(value_of(node))[: np.ndim(value_of(node)) - len(q.event_shape)]
    fits = tuple(prior.event_shape) == tuple(q.event_shape)
    try:
        fits = fits and np.broadcast_shapes(batch, prior.batch_shape) == batch
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(
            f"{node.name}: its prior must broadcast to the batch shape {q.batch_shape} with event shape "
            f"{q.event_shape}; got {type(prior).__name__} with batch shape {prior.batch_shape} and event shape "
            f"{prior.event_shape}."
        )
