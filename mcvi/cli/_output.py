"""What the console script writes."""

import json
import sys
from dataclasses import replace
from pathlib import Path

from mcvi.bias import BiasCurve

__all__ = ["Line", "write"]


class Line:
    """A line on a terminal that says how far a study is."""

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


def write(curves: list[BiasCurve], text: str, out: Path, kind: str) -> list[Path]:
    """Write the tables first: they are the study, and the figure only shows it."""
    paths = [out / name for name in ("bias.txt", "bias.csv", "bias.json", f"bias.{kind}")]
    paths[0].write_text(text + "\n", encoding="utf-8")
    head, *_ = curves[0].to_csv().splitlines()
    lines = [line for curve in curves for line in curve.to_csv().splitlines()[1:]]
    paths[1].write_text("\n".join([head, *lines]) + "\n", encoding="utf-8")
    paths[2].write_text(json.dumps([curve.to_dict() for curve in curves], indent=1) + "\n", encoding="utf-8")
    import matplotlib

    matplotlib.use("Agg")  # whatever screen there is, this writes a file
    from mcvi.plots import plot_bias_curve

    figure = plot_bias_curve([replace(curve, name=_titled(curve.name)) for curve in curves])
    figure.savefig(paths[3], dpi=110)
    return paths


def _titled(name: str) -> str:
    """Break a name into two lines where the proposal begins."""
    return name.replace(", ", ",\n") if len(name) > 30 and name.count(", ") == 1 else name
