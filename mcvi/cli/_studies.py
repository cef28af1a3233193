"""The studies that the command line asks for: problems of the package, or a user's own."""

import argparse
import importlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcvi.datasets import Problem, eight_schools, gaussian
from mcvi.distributions import MultivariateNormalDiag

__all__ = ["Study", "studies"]

_ALPHAS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Study:
    """One curve to be measured."""

    name: str
    log_p: Callable[[Any], Any]
    proposal: Any
    alphas: tuple[float, ...]
    truth: tuple[float, ...]
    relative_variance: tuple[float, ...]
    # Our own densities may be called from several threads; a user's function is not.
    threads: bool


def studies(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> list[Study]:
    """Return the studies, after every check that needs no draws."""
    target, proposal = arguments.target, arguments.proposal
    alphas = tuple(arguments.alphas or _ALPHAS)
    own = target is not None and ":" in target
    if target is None:
        if proposal is not None or arguments.dim is not None:
            parser.error("--proposal and --dim need a --target")
        model, schools = gaussian(), eight_schools()
        chosen = [(model, "wide"), (schools, "mean-field"), (schools, "wide")]
    elif target == "gaussian":
        problem = _tried(lambda: gaussian(arguments.dim or 2), f"--dim {arguments.dim}", parser)
        chosen = [(problem, proposal or "wide")]
    elif target == "eight-schools":
        if arguments.dim not in {None, 10}:
            parser.error(f"--dim of eight-schools is 10; got {arguments.dim}")
        chosen = [(eight_schools(), proposal or "mean-field")]
    elif own:
        return [_own_study(arguments, alphas, parser)]
    else:
        parser.error(f"--target must be eight-schools, gaussian or module:function; got {target!r}")
    if arguments.truth is not None:
        parser.error("--truth is for a target of your own: that of the others is known")
    for problem, name in chosen:
        if name not in problem.proposals:
            parser.error(f"--proposal of {target} must be {' or '.join(problem.proposals)}; got {name!r}")
    studies = [_known_study(problem, name, alphas) for problem, name in chosen]
    if not any(study.alphas for study in studies):
        parser.error("--alphas leaves no order for which this proposal has a finite limit")
    return [study for study in studies if study.alphas]


def _known_study(problem: Problem, proposal: str, alphas: tuple[float, ...]) -> Study:
    # an order whose limit is infinite has no bias to measure: the ELBO under tails wider than tau**2 can bear
    kept = tuple(alpha for alpha in alphas if not np.isinf(problem.limits[proposal](alpha)))
    return Study(
        name=f"{problem.name}, {proposal} proposal",
        log_p=problem.log_joint,
        proposal=problem.proposals[proposal],
        alphas=kept,
        truth=tuple(problem.limits[proposal](alpha) for alpha in kept),
        relative_variance=tuple(_finite_or_nan(problem.relative_variances[proposal](alpha)) for alpha in kept),
        threads=True,
    )


def _own_study(arguments: argparse.Namespace, alphas: tuple[float, ...], parser: argparse.ArgumentParser) -> Study:
    if arguments.dim is None:
        parser.error("--dim is needed with a target of your own")
    dim = int(arguments.dim)
    log_p = _imported(arguments.target, "--target", parser)
    if not callable(log_p):
        parser.error(f"--target {arguments.target} must be a function; it is a {type(log_p).__name__}")
    name = arguments.proposal or "normal"
    if name == "normal":
        proposal: Any = _tried(lambda: MultivariateNormalDiag(np.zeros(dim), np.ones(dim)), f"--dim {dim}", parser)
    elif ":" in name:
        proposal = _imported(name, "--proposal", parser)
        if not hasattr(proposal, "log_prob") or isinstance(proposal, type):
            proposal = _tried(proposal, f"--proposal {name}", parser)
    else:
        parser.error(f"--proposal must be normal or module:name with a target of your own; got {name!r}")
    missing = [what for what in ("batch_shape", "event_shape", "sample", "log_prob") if not hasattr(proposal, what)]
    if missing:
        parser.error(f"--proposal {name} must be a distribution; it is without {', '.join(missing)}")
    if tuple(proposal.batch_shape) != () or tuple(proposal.event_shape) != (dim,):
        shapes = f"batch_shape {tuple(proposal.batch_shape)}, event_shape {tuple(proposal.event_shape)}"
        parser.error(f"--proposal {name} must have batch_shape () and event_shape ({dim},); it has {shapes}")

    def two_draws() -> Any:
        return np.shape(log_p(proposal.sample(2, rng=np.random.default_rng(0))))

    shape = _tried(two_draws, f"--target {arguments.target}, asked for two draws,", parser)
    if shape != (2,):
        parser.error(f"--target {arguments.target} must return shape (2,) for draws of shape (2, {dim}); got {shape}")
    truth = np.nan if arguments.truth is None else float(arguments.truth)
    return Study(
        name=f"{arguments.target}, {name} proposal",
        log_p=log_p,
        proposal=proposal,
        alphas=alphas,
        truth=tuple(truth if alpha == 0.0 else np.nan for alpha in alphas),
        relative_variance=tuple(np.nan for _ in alphas),
        threads=False,
    )


def _imported(name: str, option: str, parser: argparse.ArgumentParser) -> Any:
    """Import ``module:attribute``; nothing of the name is ever evaluated."""
    module, _, attribute = name.partition(":")
    if not module or not attribute:
        parser.error(f"{option} must be module:name; got {name!r}")
    folder = str(Path.cwd())
    if folder not in sys.path:  # a console script does not look into the current folder
        sys.path.insert(0, folder)
    try:
        found = importlib.import_module(module)
    except (Exception, SystemExit) as error:
        parser.error(f"{option}: importing {module} raised {type(error).__name__}: {error}")
    try:
        for part in attribute.split("."):
            found = getattr(found, part)
    except AttributeError:
        parser.error(f"{option}: module {module} has no {attribute}")
    return found


def _tried(function: Any, what: str, parser: argparse.ArgumentParser) -> Any:
    try:
        return function()
    except (Exception, SystemExit) as error:
        parser.error(f"{what} raised {type(error).__name__}: {error}")


def _finite_or_nan(value: float) -> float:
    return value if np.isfinite(value) else float("nan")
