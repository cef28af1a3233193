"""The picture of the graph."""

import xml.etree.ElementTree as ElementTree

import numpy as np

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import (
    MeanValue,
    ObservedStochasticTensor,
    SampleValue,
    StochasticTensor,
    leave_one_out,
    picture,
    sticking_the_landing,
)


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


def test_boxes_stand_in_rows_by_generation_and_arrows_join_their_edges():
    root = ElementTree.fromstring(drawn()._repr_svg_())
    tags = [(element.tag.rpartition("}")[2], element) for element in root.iter()]
    corners = [(18, 18), (18, 98), (284, 18), (18, 178), (284, 178)]  # b, z, x, loss 0, loss 1
    boxes = [element.attrib for tag, element in tags if tag == "rect"]
    assert [(float(box["x"]), float(box["y"])) for box in boxes] == corners
    assert {(box["width"], box["height"]) for box in boxes} == {("230", "44")}
    assert [float(box["rx"]) for box in boxes] == [22, 22, 22, 3, 3]
    assert [box["fill"] for box in boxes] == ["#eef4ff"] * 3 + ["#fff6e5"] * 2
    arrows = [element.attrib for tag, element in tags if tag == "line"]
    ends = [tuple(float(arrow[name]) for name in ("x1", "y1", "x2", "y2")) for arrow in arrows]
    middle = [(x + 115, y, y + 44) for x, y in corners]
    edges = [(0, 4), (0, 1), (1, 3), (2, 4)]
    assert sorted(ends) == sorted((middle[a][0], middle[a][2], middle[b][0], middle[b][1]) for a, b in edges)
    assert all(arrow["marker-end"] == "url(#tip)" for arrow in arrows)
    texts = [(float(e.attrib["x"]), float(e.attrib["y"]), e.text) for tag, e in tags if tag == "text"]
    described = [
        ("b & <c>", "Bernoulli (10,): score function, leave-one-out"),
        ("z", "Normal (10,): pathwise"),
        ("x", "Normal (10,): observed"),
        ("loss 0", "2 upstream"),
        ("loss 1", "2 upstream"),
    ]
    assert texts == [
        (x + 115, y + down, text)
        for (x, y), both in zip(corners, described, strict=True)
        for down, text in zip((18, 34), both, strict=True)
    ]
    assert (float(root.attrib["width"]), float(root.attrib["height"])) == (532, 240)


def test_graphviz_names_every_box():
    assert drawn().dot().splitlines()[:4] == [
        "digraph {",
        "  rankdir=TB;",
        '  n0 [shape=ellipse, label="b & <c>\\nBernoulli (10,): score function, leave-one-out"];',
        "  n0 -> l1;",
    ]
    assert drawn().dot().splitlines()[-3:] == [
        '  l0 [shape=box, label="loss 0"];',
        '  l1 [shape=box, label="loss 1"];',
        "}",
    ]


def test_every_kind_of_node_is_described():
    def described(distribution, *arguments, **options):
        z = StochasticTensor(distribution, *arguments, rng=0, name="z", **options)
        return repr(picture([z * np.ones(2)])).splitlines()[0]

    normal = Normal(np.zeros(2), 1.0)
    assert described(normal) == "z  Normal (2,): pathwise  (to loss 0)"
    assert described(normal, None, sticking_the_landing) == "z  Normal (2,): sticking the landing  (to loss 0)"
    assert described(normal, pathwise=False) == "z  Normal (2,): score function  (to loss 0)"
    assert described(normal, None, None, pathwise=False) == "z  Normal (2,): no estimator  (to loss 0)"
    assert described(normal, MeanValue(stop_gradient=True)) == "z  Normal (2,): score function  (to loss 0)"


def test_one_node_upstream_is_singular():
    z = StochasticTensor(Normal(0.0, 1.0), SampleValue(2), rng=0, name="z")
    assert repr(picture([z])).splitlines()[-1] == "loss 0: 1 node upstream"
