"""The text that explains the study made without arguments, with its numbers."""

import numpy as np

from mcvi.bias import BiasCurve
from mcvi.datasets import eight_schools
from mcvi.diagnostics import khat_threshold
from mcvi.monte_carlo import expectation_self_normalized

__all__ = ["lesson", "share_out_of_reach"]

_REACH = 5.0


def share_out_of_reach(n: int = 400_000) -> float:
    """Return the share of the posterior with log tau more than 5 sd below the mean of the mean-field proposal."""
    schools = eight_schools()
    narrow, wide = schools.proposals["mean-field"], schools.proposals["wide"]
    edge = narrow.loc[9] - _REACH * narrow.scale_diag[9]
    share = expectation_self_normalized(lambda z: (z[:, 9] < edge).astype(float), schools.log_joint, wide, n=n, rng=0)
    return float(share)


def lesson(curves: list[BiasCurve], share: float) -> str:
    """Return the report on the Gaussian model, and the eight schools with either proposal; each has the order 0."""
    model, narrow, wide = curves
    j = narrow.column(0.0)
    n, bias, error = int(narrow.sizes[-1]), narrow.bias[-1, j], narrow.bias_standard_error[-1, j]
    low = narrow.truth[j] - narrow.median[-1, j]
    khat, limit = narrow.khat[-1, j], khat_threshold(n)
    passes = "below the limit" if khat < limit else "above the limit"
    k = wide.column(0.0)
    found = wide.truth[k] + np.log(wide.recovered[k])
    error_of_it = wide.recovered_standard_error[k] / wide.recovered[k]
    draws = int((wide.sizes * wide.replications).sum())
    off = f"{bias:+.4f} ± {error:.4f}"
    return f"""\
What this shows, for the evidence (alpha = 0)

1. {model.name}: |bias| ~ n^e with e = {model.power_law(0.0)}.
   The weights have a variance, and the bias is -(their relative variance)/(2 n), as theory says.

2. {narrow.name}: |bias| ~ n^e with e = {narrow.power_law(0.0)}.
   At n = {n} the mean of the runs is still {off} nats off, and half of them lie more than
   {low:.4f} too low, yet k-hat {khat:.2f} is {passes} of {limit:.2f} that is asked of it.
   Why: {100 * share:.1f} % of the posterior has log tau more than 5 standard deviations below the proposal's
   mean, where the proposal draws once in 3.5 million times. A run that never draws there misses that part,
   log(1 - {share:.3f}) = {np.log1p(-share):.3f} nats, and nothing in its weights can tell: they are the weights of
   the draws that it made. More draws do not help until some land there, and those have weights so large that no
   error bar had foreseen them: a few such runs can move the mean, and hardly the median.

3. {wide.name}: |bias| ~ n^e with e = {wide.power_law(0.0)}.
   All {draws} draws together find {found:.4f} ± {error_of_it:.4f}; the exact log evidence is {wide.truth[k]:.6f}.
   The same target and as many draws: what was needed is a proposal with wider tails.

A k-hat below its limit says that the draws at hand agree with each other, not that they are everywhere the
target is. Compare with a wider proposal before you believe an evidence."""
