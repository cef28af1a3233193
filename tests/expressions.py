"""The expressions of the golden files: Python arithmetic and a few functions, evaluated by walking the tree.

Written with autograd's NumPy, so that derivatives flow through the names.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.tracer import getval, isbox


def untraced(x: Any) -> Any:
    """Return the value of `x`, through every level of tracing."""
    while isbox(x):
        x = getval(x)
    return x


def _log_sum_exp(x: Any, keepdims: bool = False) -> Any:
    top = np.max(untraced(x), axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = anp.log(anp.sum(anp.exp(x - top), axis=-1, keepdims=True)) + top
    return total if keepdims else total[..., 0]


FUNCTIONS: dict[str, Callable[..., Any]] = {
    **{name: getattr(anp, name) for name in ("exp", "log", "log1p", "expm1", "sqrt", "square", "abs", "sin", "cos")},
    **{name: getattr(anp, name) for name in ("tanh", "sign", "maximum", "minimum", "matmul", "transpose")},
    "sigmoid": lambda x: anp.exp(-anp.logaddexp(0.0, -x)),
    "softplus": lambda x: anp.logaddexp(0.0, x),
    "sum_last": lambda x: anp.sum(x, axis=-1),
    "prod_last": lambda x: anp.prod(x, axis=-1),
    "sum_first": lambda x: anp.sum(x, axis=0),
    "mean_first": lambda x: anp.mean(x, axis=0),
    "mean_first_keep": lambda x: anp.mean(x, axis=0, keepdims=True),
    "mean_all": anp.mean,
    "sum_all": anp.sum,
    "gather": lambda c, k: c[np.asarray(untraced(k)).astype(int)],
    "cast": lambda x: 1.0 * x,
    "stop": untraced,
    "expand_last": lambda x: anp.expand_dims(x, -1),
    "expand_first": lambda x: anp.expand_dims(x, 0),
    "logsumexp_last": _log_sum_exp,
    "softmax": lambda x: anp.exp(x - _log_sum_exp(x, keepdims=True)),
    "log_softmax": lambda x: x - _log_sum_exp(x, keepdims=True),
    "ones_like": lambda x: np.ones_like(untraced(x)),
    "zeros_like": lambda x: np.zeros_like(untraced(x)),
    "reshape1": lambda x: anp.reshape(x, (-1,)),
}
BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
    ast.MatMult: anp.matmul,
}
UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos}


def evaluate(expression: str, names: dict[str, Any], functions: dict[str, Callable[..., Any]] = FUNCTIONS) -> Any:
    """Evaluate an expression over named values, traced or not."""

    def walk(node: ast.AST) -> Any:
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name) if name in names:
                return names[name]
            case ast.BinOp(left=left, op=op, right=right) if type(op) in BINARY:
                return BINARY[type(op)](walk(left), walk(right))
            case ast.UnaryOp(op=op, operand=operand) if type(op) in UNARY:
                return UNARY[type(op)](walk(operand))
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in functions:
                return functions[name](*map(walk, arguments))
        raise ValueError(f"{expression!r}: cannot evaluate {ast.unparse(node)!r}.")

    with np.errstate(all="ignore"):  # log(0) is a legal log density
        return walk(ast.parse(expression, mode="eval").body)
