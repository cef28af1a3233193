"""The parts of autograd that the library uses, and those that it changes."""

import pickle
import subprocess
import sys
import threading

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad, make_jvp
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Node, TraceStack, find_top_boxed_args, new_box, trace, trace_stack

import mcvi
from mcvi._autograd import (
    differentiable,
    has_ended,
    is_traced,
    masked_product,
    once_differentiable,
    trace_whole_numbers,
    tracing,
    unbroadcast,
    value_of,
    where,
)
from mcvi.stochastic._graph.trace import DependencyNode

CHANGED = "autograd's tracer has changed: read mcvi/_autograd.py and mcvi/stochastic/_graph/level.py again; "


# The canary: what the library relies on inside autograd.


class AskedLevel(float):
    """A trace number that notes how it is compared."""

    def __new__(cls, value, asked):
        level = super().__new__(cls, value)
        level.asked = asked
        return level

    def __gt__(self, other):
        self.asked.append(">")
        return float.__gt__(self, other)

    def __lt__(self, other):
        self.asked.append("<")
        return float.__lt__(self, other)

    def __ge__(self, other):
        self.asked.append(">=")
        return float.__ge__(self, other)

    def __le__(self, other):
        self.asked.append("<=")
        return float.__le__(self, other)

    def __eq__(self, other):
        self.asked.append("==")
        return float.__eq__(self, other)

    def __ne__(self, other):
        self.asked.append("!=")
        return float.__ne__(self, other)

    __hash__ = float.__hash__


def box(level, node=None):
    return ArrayBox(np.array(1.0), level, node)


@pytest.mark.parametrize(
    ("ours", "others", "expected"),
    [
        (2.5, [1], [">", "<", "=="]),  # the reflected `1 > 2.5`, and as it fails `1 == 2.5`
        (0.5, [1], [">", "<"]),
    ],
)
def test_autograd_asks_for_the_larger_trace_number_before_it_asks_for_equality(ours, others, expected):
    asked = []
    level = AskedLevel(ours, asked)
    find_top_boxed_args([box(level), *map(box, others)])
    assert asked == expected, CHANGED + "among arguments it no longer asks `a > b`, and then `a == b`."
    asked.clear()
    top, number, *_ = find_top_boxed_args([*map(box, others), box(level)])
    assert asked == ([">"] if ours > 1 else [">", "=="]), CHANGED + "its order of comparisons is another."
    assert number == max(ours, *others)
    assert len(top) == 1


def test_autograd_asks_for_nothing_but_equality_at_the_end_of_a_derivative():
    asked = []
    level = AskedLevel(0.5, asked)
    with pytest.warns(UserWarning, match="independent of input"):
        trace(Node.__new__(Node), lambda x: box(level), np.array(1.0))
    assert asked == ["=="], CHANGED + "it ends a derivative by another question than `==`."


def test_autograd_takes_trace_numbers_from_the_one_stack_by_its_method():
    assert set(vars(TraceStack())) == {"top"}, CHANGED + "its stack of traces holds more than `top`."
    assert isinstance(trace_stack, TraceStack)
    numbers = []

    def note(x):
        numbers.append(x._trace)
        return x

    grad(note)(1.0)
    grad(lambda x: grad(note)(x) * note(x))(1.0)
    assert len(set(numbers)) == 3, CHANGED + "its traces are no longer numbered by trace_stack.new_trace()."
    assert numbers[0] < numbers[2] < numbers[1], CHANGED + "an inner trace has no larger number."
    assert all(map(has_ended, numbers))


def test_autograd_boxes_a_value_by_the_mapping_of_its_type():
    asked = []

    def note(value, trace, node):
        asked.append((value, trace, node))
        raise KeyError

    from autograd.tracer import Box

    class Own:
        pass

    Box.type_mappings[Own] = note
    try:
        with pytest.raises(TypeError, match="Can't differentiate"):
            new_box(held := Own(), 3, "node")
    finally:
        del Box.type_mappings[Own]
    assert asked == [(held, 3, "node")], CHANGED + "new_box no longer calls type_mappings[type(value)]."


# What `import mcvi` changes.


@pytest.mark.parametrize("value", ["3", "True", "np.int64(3)"])
def test_plain_autograd_words_its_error_for_whole_numbers_as_before(value):
    code = f"""
import autograd, numpy as np, sys
def error():
    try:
        autograd.grad(lambda x: x * x)({value})
    except TypeError as e:
        return str(e)
before = error()
import mcvi.stochastic
assert before == error(), error()
assert "Can't differentiate w.r.t. type" in before
"""
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_whole_numbers_are_traced_for_nodes_of_the_class_that_asked():
    node = DependencyNode.of_draw((), None)
    for value in (3, True, np.int64(3), np.bool_(True), np.uint8(1)):
        assert new_box(value, 0, node)._value is value
        with pytest.raises(TypeError, match="Can't differentiate"):
            new_box(value, 0, Node.__new__(Node))
    trace_whole_numbers(Node)  # who comes second changes nothing
    with pytest.raises(TypeError, match="Can't differentiate"):
        new_box(3, 0, Node.__new__(Node))


def test_threads_differentiate_at_once():
    barrier = threading.Barrier(4)
    found = [None] * 4

    def work(i):
        def f(x):
            barrier.wait()
            return grad(lambda y: x * y**2)(x)

        found[i] = grad(f)(float(i))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [4.0 * i for i in range(4)]


def test_an_exception_ends_its_trace():
    numbers = []

    def fails(x):
        numbers.append(x._trace)
        assert tracing()
        assert is_traced(1.0, x)
        assert not is_traced(1.0)
        assert value_of(x) == 1.0
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        grad(fails)(1.0)
    assert has_ended(numbers[0])
    assert not tracing()


# The doors.


def square_pull_back(g, argnums, answer, x, y, *, power):
    assert not is_traced(g, answer, x, y)
    np.testing.assert_array_equal(answer, x**power * y)
    return [g * (power * x ** (power - 1) * y, x**power)[argnum] for argnum in argnums]


@once_differentiable(square_pull_back, "x to the {power} has one derivative.")
def power_times(x, y, *, power):
    """Say something."""
    assert not is_traced(x, y)
    return x**power * y


def test_a_hand_written_derivative_is_summed_over_what_was_broadcast():
    x, y = np.array([[1.0], [2.0]]), np.array([3.0, 4.0, 5.0])
    g = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    in_x, in_y = grad(lambda *both: anp.sum(g * power_times(*both, power=3)), (0, 1))(x, y)
    np.testing.assert_allclose(in_x, (g * 3 * x**2 * y).sum(axis=1, keepdims=True), rtol=1e-15)
    np.testing.assert_allclose(in_y, (g * x**3 * np.ones(3)).sum(axis=0), rtol=1e-15)
    only_y = grad(lambda y: anp.sum(power_times(x, y, power=3)))(2.0)
    assert only_y == 9.0
    assert type(only_y) is np.float64
    assert power_times.__name__ == "power_times"
    assert power_times.__doc__ == "Say something."


def test_a_second_derivative_is_refused_in_the_words_of_the_function():
    sentence = "^x to the 2 has one derivative.$"
    first = grad(lambda x: power_times(x, 1.0, power=2))
    with pytest.raises(NotImplementedError, match=sentence):
        grad(first)(1.0)
    with pytest.raises(NotImplementedError, match=sentence):
        make_jvp(lambda c: grad(lambda x: c * power_times(x, 1.0, power=2))(1.0))(2.0)(1.0)
    with pytest.raises(NotImplementedError, match=sentence):  # it is linear in g, but who knows
        grad(lambda c: grad(lambda x: c * power_times(x, 1.0, power=2))(1.0))(2.0)


@differentiable(lambda answer, x, y: y * power(x, y - 1.0), lambda answer, x, y: answer * anp.log(x))
def power(x, y):
    assert not is_traced(x, y)
    return np.power(x, y)


def test_a_differentiable_function_has_derivatives_of_every_order_both_ways():
    x, y = np.array([[1.5], [2.0]]), np.array([3.0, 4.0, 5.0])
    in_x, in_y = grad(lambda *both: anp.sum(power(*both)), (0, 1))(x, y)
    np.testing.assert_allclose(in_x, (y * x ** (y - 1)).sum(axis=1, keepdims=True), rtol=1e-14)
    np.testing.assert_allclose(in_y, (x**y * np.log(x)).sum(axis=0), rtol=1e-14)
    third = elementwise_grad(elementwise_grad(elementwise_grad(power)))(x, 4.0)
    np.testing.assert_allclose(third, 24 * x, rtol=1e-14)
    value, slope = make_jvp(lambda x: power(x, y))(x)(np.array([[1.0], [10.0]]))
    np.testing.assert_allclose(value, x**y, rtol=1e-15)
    np.testing.assert_allclose(slope, [[1.0], [10.0]] * (y * x ** (y - 1)), rtol=1e-14)


@pytest.mark.parametrize(
    ("shape", "leading"),
    [((), 0), ((4,), 0), ((3, 1), 0), ((1, 4), 0), ((1, 1), 0), ((2, 3, 4), 0), ((2, 1, 4), 0), ((3, 1), 1), ((1,), 1)],
)
def test_what_was_broadcast_is_summed_over_traced_or_not(shape, leading):
    g = np.arange(24.0).reshape(2, 3, 4)
    kept = g.shape[:leading]
    found = unbroadcast(g, shape, leading)
    assert found.shape == kept + shape
    for draw in np.ndindex(kept):  # the derivative of sum(g * broadcast(x)) in x, one element at a time
        for index in np.ndindex(shape):
            one = np.zeros(shape)
            one[index] = 1.0
            assert found[draw + index] == np.sum(g[draw] * one)
    through = grad(lambda h: anp.sum(unbroadcast(h, shape, leading) ** 2))(g)
    wide = np.broadcast_to(found.reshape(kept + (1,) * (3 - leading - len(shape)) + shape), g.shape)
    np.testing.assert_array_equal(through, 2 * wide)


def test_a_number_is_summed_over_nothing():
    assert unbroadcast(2.0, ()) == 2.0
    assert unbroadcast(2.0, ()).shape == ()


def test_where_has_derivatives_for_shapes_that_differ():
    a, b = np.array([[1.0], [2.0]]), 3.0
    condition = np.array([True, False, True])
    in_a, in_b = grad(lambda a, b: anp.sum(where(condition, a, b)), (0, 1))(a, b)
    np.testing.assert_array_equal(in_a, [[2.0], [2.0]])
    assert in_b == 2.0
    np.testing.assert_array_equal(where(condition, a, -np.inf), [[1.0, -np.inf, 1.0], [2.0, -np.inf, 2.0]])


def test_a_derivative_that_nobody_asks_for_may_be_anything():
    found = masked_product(np.array([0.0, 0.0, 2.0, 1.0]), np.array([np.inf, np.nan, 3.0, np.nan]))
    np.testing.assert_array_equal(found, [0.0, 0.0, 6.0, np.nan])


# The public door for functions that autograd does not know.


def cube(x):
    return x**3


def cube_vjp(g, answer, x):
    return 3 * g * x**2


def test_a_function_with_a_gradient_pickles():
    f = mcvi.with_gradient(cube, cube_vjp)
    copied = pickle.loads(pickle.dumps(f))
    assert grad(copied)(2.0) == grad(f)(2.0) == 12.0
    assert copied.__name__ == "cube"
    assert repr(copied) == "with_gradient(cube)"
