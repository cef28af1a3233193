"""The picture of the graph."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import MeanValue, ObservedStochasticTensor, SampleValue, StochasticTensor, leave_one_out, picture


def drawn():
    b = StochasticTensor(Bernoulli(logits=0.3), SampleValue(10), leave_one_out, name="b & <c>", rng=0)
    z = StochasticTensor(Normal(b, 1.0), name="z", rng=1)
    x = ObservedStochasticTensor(Normal(z, 1.0), np.zeros(10), name="x")
    return picture([(z - 1) ** 2, b * x])


def test_the_text_says_who_feeds_whom_and_how():
    assert repr(drawn()).splitlines() == [
        "b & <c>  Bernoulli (10,): score function, leave-one-out  (to loss 1)",
        "z        Normal (10,): pathwise  (from b & <c>, to loss 0)",
        "x        Normal (10,): observed  (to loss 1)",
        "loss 0: 2 nodes upstream",
        "loss 1: 2 nodes upstream",
    ]


def test_a_node_that_holds_its_mean_says_so():
    a = StochasticTensor(Normal(0.0, 1.0), SampleValue(2), name="a", rng=0)
    m = StochasticTensor(Normal(a, 1.0), MeanValue(), name="m", rng=1)
    assert repr(picture([a + m])).splitlines()[1] == ("m  Normal (2,): mean  (from a, to loss 0)")


def test_the_drawing_is_well_formed_and_has_every_box():
    root = ElementTree.fromstring(drawn()._repr_svg_())
    assert root.tag.endswith("svg")
    texts = [element.text for element in root.iter() if element.tag.endswith("text")]
    assert texts[::2] == ["b & <c>", "z", "x", "loss 0", "loss 1"]
    assert sum(element.tag.endswith("line") for element in root.iter()) == 4


def test_graphviz_reads_the_same_edges():
    lines = drawn().dot().splitlines()
    assert [line.strip() for line in lines if "->" in line] == ["n0 -> l1;", "n0 -> n1;", "n1 -> l0;", "n2 -> l1;"]
