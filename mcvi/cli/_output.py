"""The output of the console script: a progress line, tables and a figure."""

import json
import math
import sys
from pathlib import Path
from typing import Any

from mcvi.bias import BiasCurve

__all__ = ["Line", "write"]


class Line:
    """A line on a terminal with the progress of a study."""

    def __init__(self, name: str) -> None:
        self._name, self._shown = name, ""

    def __call__(self, done: int, total: int) -> None:
        text = f"{self._name}: {100 * done // total} %"
        if text != self._shown:
            sys.stderr.write(f"\r\033[K{text}")
            sys.stderr.flush()
            self._shown = text

    def clear(self) -> None:
        if self._shown:
            sys.stderr.write("\r\033[K")
            sys.stderr.flush()


def write(curves: list[BiasCurve], text: str, out: Path, kind: str, out_of_reach: float | None = None) -> list[Path]:
    """Write the tables first: they are the study, and the figure only shows it.

    With `out_of_reach`, the share of the posterior that the second study's proposal never draws, its panel says so.
    """
    paths = [out / name for name in ("bias.txt", "bias.csv", "bias.json", f"bias.{kind}")]
    paths[0].write_text(text + "\n", encoding="utf-8")
    head, *_ = curves[0].to_csv().splitlines()
    lines = [line for curve in curves for line in curve.to_csv().splitlines()[1:]]
    paths[1].write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    paths[2].write_text(json.dumps([curve.to_dict() for curve in curves], indent=1) + "\n", encoding="utf-8")
    import matplotlib as mpl

    mpl.use("Agg")  # whatever screen there is, this writes a file
    from mcvi.plots import plot_bias_curve

    with mpl.rc_context({"svg.hashsalt": "mcvi", "svg.fonttype": "none"}):
        figure = plot_bias_curve(curves)
        if out_of_reach is not None:
            _mark(figure.axes[1], out_of_reach)
        # without a date: the same numbers give the same file
        figure.savefig(paths[3], dpi=110, metadata={"Date": None} if kind == "svg" else None)
    return paths


def _mark(ax: Any, share: float) -> None:
    """Draw the bias of a run that never draws a part of the posterior, however long it is."""
    ax.axhline(-math.log1p(-share), color="black", linestyle=(0, (1, 2)), linewidth=1.2, zorder=1)
    ax.annotate(
        f"{100 * share:.1f} % of the posterior\nis out of reach",
        (0.98, -math.log1p(-share)),
        xycoords=("axes fraction", "data"),
        xytext=(0, -18),
        textcoords="offset points",
        ha="right",
        va="top",
        fontsize=8.5,
    )
