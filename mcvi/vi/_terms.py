"""The term of one latent node in an evidence lower bound, in each of the forms."""

from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of
from mcvi.divergences import kl_divergence
from mcvi.entropy import ELBOForms
from mcvi.stochastic import StochasticTensor

__all__ = ["aligned", "checked_form", "entropy_term", "term_with_prior"]

_KL = (ELBOForms.default, ELBOForms.analytic_kl)
_ENTROPY = (ELBOForms.default, ELBOForms.analytic_entropy)


def checked_form(form: Any) -> ELBOForms:
    """Return the form asked for; None is the default."""
    try:
        return ELBOForms.default if form is None else ELBOForms(form)
    except ValueError:
        forms = ", ".join(repr(str(known)) for known in ELBOForms)
        raise TypeError(f"form must be an ELBOForms constant, one of {forms}; got {form!r}.") from None


def term_with_prior(node: StochasticTensor, prior: Any, form: ELBOForms, *, of_its_draws: bool) -> Any:
    """Return ``-KL(q, prior)``, in closed form if the form wants and there is one, else from the draws.

    The divergence is the expected term only where the prior does not depend on the draws of the node itself
    (`of_its_draws`): directly, or through a node downstream of it.
    """
    if node.stops_parameters:
        _only_from_draws(node, form)
    elif of_its_draws and form is ELBOForms.analytic_kl:
        raise ValueError(
            f"{node.name}: its prior depends on its own draws, directly or through a node downstream of it: the "
            "closed-form divergence is not its term of the bound. Use form 'default', 'analytic_entropy' or 'sample'."
        )
    elif form in _KL and not of_its_draws:
        try:
            return _over_draws(node, -_number(kl_divergence(node.distribution, prior)))
        except NotImplementedError:
            if form is ELBOForms.analytic_kl:
                raise
    return entropy_term(node, form) + prior.log_prob(node.value())


def entropy_term(node: StochasticTensor, form: ELBOForms) -> Any:
    """Return the entropy of q in closed form if the form wants and there is one, else ``-log q`` of the draws."""
    if node.stops_parameters:
        _only_from_draws(node, form)
    elif form in _ENTROPY:
        try:
            return _over_draws(node, _number(node.entropy()))
        except (NotImplementedError, AttributeError):  # a user's family need not have the method
            if form is ELBOForms.analytic_entropy:
                raise
    return -node.log_prob()


def _only_from_draws(node: StochasticTensor, form: ELBOForms) -> None:
    if form in (ELBOForms.analytic_kl, ELBOForms.analytic_entropy):
        raise ValueError(
            f"{node.name}: its estimator, {node.loss_fn!r}, needs log q of the draws; use form 'sample' or "
            f"'default', not {str(form)!r}."
        )


def _number(result: Any) -> Any:
    return getattr(result, "value", result)


def _over_draws(node: StochasticTensor, term: Any) -> Any:
    """Repeat a closed form, shaped like the batch, along the node's own axes of draws."""
    value_shape, event = np.shape(value_of(node)), len(node.distribution.event_shape)
    shape = value_shape[: len(value_shape) - event]
    return term + np.zeros(shape) if np.shape(value_of(term)) != shape else term


def aligned(node: StochasticTensor, term: Any, shape: tuple[int, ...], keep_batch_dim: bool) -> Any:
    """Return a node's term summed over the axes that the likelihood of `shape` lacks, or over all but the draws."""
    term_shape = np.shape(value_of(term))
    kept = len(shape) if keep_batch_dim else min(node.draw_axes, len(term_shape))
    if keep_batch_dim and term_shape[:kept] != shape:
        fewer = shape[: len(term_shape)] == term_shape
        raise ValueError(
            f"{node.name}: its term of the bound has shape {term_shape} and the log likelihood {shape}; "
            + (
                "it would count once for every element of the axes that it lacks: sum the log likelihood over them."
                if fewer
                else "their axes do not align from the left."
            )
        )
    if not keep_batch_dim and term_shape[:kept] != shape and not (kept == 0 and all(size == 1 for size in shape)):
        raise ValueError(
            f"{node.name}: with keep_batch_dim=False its term has the shape {term_shape[:kept]} of its draws; "
            f"the log likelihood must have it too, and has {shape}. Sum it over the batch."
        )
    axes = tuple(range(kept, len(term_shape)))
    return anp.sum(term, axis=axes) if axes else term
