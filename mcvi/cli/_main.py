"""The console script: ``mcvi bias`` measures the bias of evidence estimates against the number of draws."""

import argparse
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from mcvi.bias import BiasCurve, StudyInterrupted, bias_curve
from mcvi.cli._lesson import lesson, share_out_of_reach
from mcvi.cli._output import Line, write
from mcvi.cli._studies import Study, studies

__all__ = ["main"]

_SIZES = (4, 16, 64, 256, 1024, 4096, 16384)
_REPLICATIONS = 1600
# Small runs are cheap: as many as cost a quarter of the largest size, but at most fifty times its runs.
_MOST_TIMES = 25
_INTERRUPTED = "interrupted"

_DESCRIPTION = """\
Measure how far estimates of the log evidence, of Renyi bounds and of the ELBO lie from what they tend to, against the
number of draws n that they are made from.

Without --target it shows a lesson on data that ship with the package: a Gaussian model whose bias falls as 1/n; the
eight schools with the best normal proposal, whose bias stalls although every diagnostic passes; and the eight schools
with a proposal that has wider tails.
"""
_EPILOG = """\
examples:
  mcvi bias
  mcvi bias --target gaussian --dim 10 --sizes 4,16,64,256 --replications 2000
  mcvi bias --target mymodel:log_joint --dim 3 --proposal mymodel:proposal --truth -4.2 --out study

a target of your own is a function in a module that Python finds (the current folder included): it takes an array of
draws (n, DIM) and returns their log densities (n,).
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser that reports an error in one sentence and exits with 2."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: error: {message.rstrip('.')}. See {self.prog} --help.\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the console script.

    Parameters
    ----------
    argv : sequence of str, optional
        The arguments; those of the process without.

    Returns
    -------
    int
        0; 1 if the run failed; 130 if it was interrupted by Ctrl-C. Bad arguments raise SystemExit with 2.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a terminal that knows ASCII alone shows ? for ±, and loses nothing
            stream.reconfigure(errors="replace")
    parser = _parser()
    arguments = parser.parse_args(argv)
    try:
        with _terminated_as_interrupted():
            return int(arguments.run(arguments, arguments.parser))
    except KeyboardInterrupt:  # in the midst of writing: the tables come first, the figure last
        print("interrupted.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # what is read no further, as by head, need not be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the flush at exit
        return 0


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Treat SIGTERM as Ctrl-C, so that a job that is stopped by its scheduler writes what is done."""
    if threading.current_thread() is not threading.main_thread():  # only the main thread may set a handler
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _parser() -> argparse.ArgumentParser:
    from mcvi import __version__

    parser = _Parser(prog="mcvi", description="Monte Carlo variational inference.")
    parser.add_argument("--version", action="version", version=f"mcvi {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    bias = commands.add_parser(
        "bias",
        help="bias of evidence estimates against the number of draws",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = bias.add_argument
    add("--target", metavar="NAME", help="eight-schools, gaussian, or module:function (a log density)")
    add("--dim", type=_count, metavar="D", help="dimension of the target; of gaussian 2 unless given")
    add(
        "--proposal",
        metavar="NAME",
        help="eight-schools: mean-field (default) or wide; gaussian: wide (default) or narrow; a target of your own: "
        "normal (default: standard normal) or module:name, a distribution or a function that returns one",
    )
    add("--sizes", type=_counts, metavar="N,N,...", help=f"numbers of draws (default {_joined(_SIZES)})")
    add("--alphas", type=_orders, metavar="A,A,...", help="orders: 0 the evidence, 1 the ELBO (default 0,0.5,1)")
    add(
        "--replications",
        type=_counts,
        metavar="R",
        help=f"runs of the largest size, smaller sizes get more (default {_REPLICATIONS}); or one number for each size",
    )
    add("--truth", type=_number, metavar="X", help="the exact log evidence of a target of your own, if it is known")
    add("--rng", type=_seed, default=0, metavar="SEED", help="same seed, same numbers (default 0)")
    add("--out", type=Path, default=Path("mcvi-bias"), metavar="DIR", help="where to write (default mcvi-bias)")
    add("--format", choices=("png", "svg"), default="png", help="of the figure (default png)")
    bias.set_defaults(run=_bias, parser=bias)
    return parser


def _bias(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> int:
    sizes = tuple(arguments.sizes or _SIZES)
    if any(a >= b for a, b in pairwise(sizes)):
        parser.error(f"--sizes must increase; got {_joined(sizes)}")
    replications = _replications(arguments.replications or (_REPLICATIONS,), sizes, parser)
    planned = studies(arguments, parser)
    out = _folder(arguments.out, parser)
    curves, stopped = _measure(planned, sizes, replications, arguments.rng)
    code = 0 if not stopped else 130 if stopped == _INTERRUPTED else 1
    if not curves:
        print(f"{stopped} before anything was done; nothing was written.", file=sys.stderr)
        return code
    text = "\n\n".join(curve.table() for curve in curves)
    share = None
    if not stopped and arguments.target is None and 0.0 in planned[0].alphas:
        share = share_out_of_reach()
        text += "\n\n" + lesson(curves, share)
    try:
        written = write(curves, text, out, arguments.format, share)
    except OSError as error:  # a full disk, a folder that is gone: the study itself must not be lost with it
        print(text)
        print(f"mcvi bias: error: {out} cannot be written to: {error.strerror or error}.", file=sys.stderr)
        return 1
    print(text)
    print(f"\nwrote {', '.join(path.name for path in written)} to {out}")
    if stopped:
        print(f"{stopped}: what was done is in {out}.", file=sys.stderr)
    return code


def _folder(out: Path, parser: argparse.ArgumentParser) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(f"--out {out} cannot be made: {error.strerror}")
    if not os.access(out, os.W_OK):
        parser.error(f"--out {out} cannot be written to")
    return out


def _measure(
    planned: list[Study], sizes: tuple[int, ...], replications: tuple[int, ...], seed: int
) -> tuple[list[BiasCurve], str]:
    """Return the measured curves, and the reason why they are incomplete, or an empty string."""
    curves: list[BiasCurve] = []
    for number, study in enumerate(planned):
        report = Line(f"[{number + 1}/{len(planned)}] {study.name}")
        try:
            with _workers(study.threads) as executor:
                curves.append(
                    bias_curve(
                        study.log_p,
                        study.proposal,
                        sizes=sizes,
                        alphas=study.alphas,
                        replications=replications,
                        truth=study.truth,
                        relative_variance=study.relative_variance,
                        name=study.name,
                        rng=(seed, number),
                        executor=executor,
                        progress=report if sys.stderr.isatty() else None,
                    )
                )
        except StudyInterrupted as stopped:
            if stopped.curve is not None:
                curves.append(stopped.curve)
            return curves, _INTERRUPTED
        except KeyboardInterrupt:
            return curves, _INTERRUPTED
        except Exception as error:
            if getattr(error, "curve", None) is not None:
                curves.append(error.curve)  # type: ignore[attr-defined]
            return curves, f"{study.name} raised {type(error).__name__}: {error}"
        finally:
            report.clear()
    return curves, ""


def _workers(threads: bool) -> Any:
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    executor: Executor | None = ThreadPoolExecutor(count) if threads and count > 1 else None
    return executor if executor is not None else nullcontext()


def _replications(given: tuple[int, ...], sizes: tuple[int, ...], parser: argparse.ArgumentParser) -> tuple[int, ...]:
    if min(given) < 2:
        parser.error(f"--replications must be at least 2; got {_joined(given)}")
    if len(given) == len(sizes):
        return tuple(given)
    if len(given) > 1:
        parser.error(f"--replications must be one number, or one for each of {len(sizes)} sizes; got {len(given)}")
    least = given[0]
    return tuple(min(_MOST_TIMES * least, max(least, least * sizes[-1] // (4 * n))) for n in sizes)


def _count(text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a positive whole number; got {text!r}")
    if value >= 2**63:
        raise argparse.ArgumentTypeError(f"must be below 2**63; got {text!r}")
    return value


def _counts(text: str) -> tuple[int, ...]:
    return tuple(_count(part.strip()) for part in text.split(","))


def _orders(text: str) -> tuple[float, ...]:
    try:
        orders = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers with commas between them; got {text!r}") from None
    if not np.isfinite(orders).all() or len(set(orders)) < len(orders):
        raise argparse.ArgumentTypeError(f"must be finite and differ; got {text!r}")
    return orders


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise argparse.ArgumentTypeError(f"must be a finite number; got {text!r}")
    return value


def _seed(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number >= 0; got {text!r}")
    return int(text)


def _joined(values: Sequence[int]) -> str:
    return ",".join(map(str, values))
