"""A bias study as text."""

import csv
import io
from typing import Any

import numpy as np

__all__ = ["csv_of", "estimator_name", "table_of"]

_HEAD = ("n", "runs", "mean", "median", "bias", "± error", "sd of a run", "RMSE", "first order", "k-hat")
_WIDTHS = (8, 7, 11, 11, 12, 10, 13, 10, 13, 7)


def estimator_name(alpha: float) -> str:
    """Return what the Renyi estimate of order `alpha` is called."""
    if alpha == 1.0:
        return "ELBO (alpha = 1)"
    return "evidence (alpha = 0)" if alpha == 0.0 else f"Renyi (alpha = {alpha:g})"


def csv_of(rows: list[dict[str, Any]]) -> str:
    """Return rows as CSV with a head."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]) if rows else ["n"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def table_of(curve: Any) -> str:
    """Return a table for each order of a `BiasCurve`, with a line on its limit and one on its exponent."""
    lines = [curve.name] if curve.name else []
    if not curve.complete:
        lines.append("(interrupted: only what was done)")
    for j, alpha in enumerate(curve.alphas):
        lines += ["", f"{estimator_name(float(alpha))}: {_limit(curve, j)}"]
        lines.append("".join(head.rjust(width) for head, width in zip(_HEAD, _WIDTHS, strict=True)))
        for i, n in enumerate(curve.sizes):
            prediction = f"{curve.asymptotic_bias[i, j]:.3g}" + (" " if curve.asymptotic_trusted[i, j] else "?")
            cells = (
                str(n),
                str(curve.replications[i]),
                f"{curve.mean[i, j]:.5f}",
                f"{curve.median[i, j]:.5f}",
                f"{curve.bias[i, j]:.3g}" + ("*" if curve.controlled[i, j] else " "),
                f"{curve.bias_standard_error[i, j]:.2g}",
                f"{np.sqrt(curve.variance[i, j]):.3g}",
                f"{curve.rmse[i, j]:.3g}",
                prediction,
                f"{curve.khat[i, j]:.2f}" if np.isfinite(curve.khat[i, j]) else "-",
            )
            lines.append("".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True)))
        lines.append(f"  |bias| ~ n^e, e = {curve.power_law(float(alpha))}")
        lines += _warnings(curve, j)
    lines += _notes(curve)
    return "\n".join(lines)


def _limit(curve: Any, j: int) -> str:
    error = curve.truth_standard_error[j]
    how = "exact" if error == 0 else f"± {error:.1g}, from {curve.reference} draws"
    khat = curve.reference_khat[j]
    tail = "" if np.isnan(khat) else f"; k-hat {khat:.2f} at {curve.reference} draws"
    return f"limit {curve.truth[j]:.6f} ({how}){tail}"


def _warnings(curve: Any, j: int) -> list[str]:
    if not curve.missing[j]:
        return []
    return [
        f"  ! the draws found {curve.recovered[j]:.4f} ± {curve.recovered_standard_error[j]:.1g} of the mean weight: "
        "the rest lies where the proposal does not draw."
    ]


def _notes(curve: Any) -> list[str]:
    notes = [""] if curve.controlled.any() or not curve.asymptotic_trusted.all() else []
    if curve.controlled.any():
        notes.append("* found with the mean weight as control variate: its mean is known.")
    if not curve.asymptotic_trusted.all():
        notes.append(
            "? not to be believed here: the weights have no variance, or part of the target was missed, "
            "or n is too small."
        )
    return notes
