"""Each rewrite of an ONNX graph on a few nodes: where it holds, where it must not act, and that the function stays."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from conversion.graph.hardware_limits import HALF_TARGET
from conversion.onnx import rewrites as onnx_rewrites
from conversion.onnx.border_bias import fold_rings
from conversion.onnx.folding import drop_identities, fold_constants, merge_twins
from conversion.onnx.graph import OnnxGraph
from conversion.onnx.load import fixed_graph, read_onnx
from conversion.onnx.norms import centre_norms, channels_first_norms, lower_layer_norms, plain_powers
from conversion.onnx.parallel_convs import merge_parallel, merge_pointwise, merge_repeated_inputs
from conversion.onnx.receptive import receptive_radius
from conversion.onnx.rescaling import rescale_onnx
from conversion.onnx.rewrites import clip_output, fuse_gelus, nest_concats, rewrite
from conversion.onnx.shuffles import name_shuffles, reorder_shuffles
from keras_models.system.errors import ConversionError

RNG = np.random.default_rng(0)
HEIGHT, WIDTH = 6, 7


def weights(*shape):
    return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:], initial=1))).astype(np.float32)


def graph_of(*nodes, channels=4, **constants):
    """A graph from (op, inputs, output, attributes); "x" is the image, the last output the result."""
    made = [helper.make_node(op, inputs.split(), [output], **(more[0] if more else {})) for op, inputs, output, *more in nodes]
    image = helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, channels, HEIGHT, WIDTH))
    result = helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    return OnnxGraph(helper.make_model(helper.make_graph(made, "g", [image], [result], held), opset_imports=[helper.make_opsetid("", 20)]))


def run(graph, image):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    model = graph.to_model()
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return onnxruntime.InferenceSession(model.SerializeToString(), options).run(None, {graph.input: image})[0]


def acts(rewrite_, graph):
    """In how many places a rewrite acts until it finds no more; asserts that the function stays."""
    image = RNG.standard_normal(graph.input_shape).astype(np.float32)
    before = run(graph, image)
    count = 0
    while found := rewrite_(graph):
        count += found
    after = run(graph, image)
    assert after.shape == before.shape and np.abs(after - before).max() <= 1e-5 * max(1.0, np.abs(before).max())
    return count


def ops(graph):
    graph.tidy()
    return sorted(node.op for node in graph.nodes)


ROOT = np.float32(2**0.5)
HALF, ONE, TWO = np.float32(0.5), np.float32(1), np.float32(2)
ERF = [("Div", "x root", "a"), ("Erf", "a", "b"), ("Add", "b one", "c")]
GELUS = {
    "as PyTorch writes it": [*ERF, ("Mul", "x c", "d"), ("Mul", "d half", "y")],
    "half of x first": [*ERF, ("Mul", "x half", "d"), ("Mul", "d c", "y")],
    "half of the bracket": [*ERF, ("Mul", "half c", "d"), ("Mul", "d x", "y")],
    "bracket divided by two": [*ERF, ("Div", "c two", "d"), ("Mul", "x d", "y")],
    "x divided by two": [*ERF, ("Div", "x two", "d"), ("Mul", "c d", "y")],
    "x times 1 / root": [("Mul", "inverse x", "a"), ("Erf", "a", "b"), ("Add", "one b", "c"), ("Mul", "c x", "d"), ("Mul", "half d", "y")],
}


def gelu_graph(nodes, **changed):
    constants = {"root": ROOT, "inverse": 1 / ROOT, "one": ONE, "half": HALF, "two": TWO} | changed
    used = " ".join(node[1] for node in nodes).split()
    return graph_of(*nodes, **{name: value for name, value in constants.items() if name in used})


@pytest.mark.parametrize("order", GELUS)
def test_gelu_in_any_order(order):
    graph = gelu_graph(GELUS[order])
    assert acts(fuse_gelus, graph) == 1 and ops(graph) == ["Gelu"]


def test_gelu_without_its_half_keeps_a_factor():
    graph = gelu_graph([*ERF, ("Mul", "x c", "y")])
    assert acts(fuse_gelus, graph) == 1 and ops(graph) == ["Gelu", "Mul"]


@pytest.mark.parametrize(
    ("nodes", "changed"),
    [
        (GELUS["as PyTorch writes it"], {"root": np.float32(1.41)}),
        (GELUS["as PyTorch writes it"], {"one": TWO}),
        ([*ERF, ("Mul", "b c", "y")], {}),
        ([*ERF, ("Add", "x c", "y")], {}),
        ([("Div", "root x", "a"), *ERF[1:], ("Mul", "x c", "d"), ("Mul", "d half", "y")], {}),
        ([*GELUS["as PyTorch writes it"][:-1], ("Mul", "d half", "e"), ("Add", "e b", "y")], {}),
    ],
    ids=["another root", "another one", "no x", "a sum", "root by x", "erf read twice"],
)
def test_what_is_no_gelu_is_left(nodes, changed):
    graph = gelu_graph(nodes, **changed)
    assert acts(fuse_gelus, graph) == 0


def test_shapes_become_constants():
    graph = graph_of(
        ("Shape", "x", "s"),
        ("Gather", "s three", "w"),
        ("Range", "zero w one", "r"),
        ("Cast", "r", "f", {"to": TensorProto.FLOAT}),
        ("Add", "x f", "y"),
        three=np.int64(3),
        zero=np.int64(0),
        one=np.int64(1),
    )
    assert acts(fold_constants, graph) == 4 and ops(graph) == ["Add"]


def test_random_numbers_are_no_constants():
    graph = graph_of(("RandomUniformLike", "c", "r"), ("Add", "x r", "y"), c=ONE)
    assert fold_constants(graph) == 0


def test_a_constant_that_fails_is_refused():
    graph = graph_of(("Reshape", "c s", "r"), ("Add", "x r", "y"), c=weights(3), s=np.int64([2]))
    with pytest.raises(ConversionError, match="cannot be computed|do not fit"):
        fold_constants(graph)


def test_identities_and_twins_go():
    graph = graph_of(
        ("Relu", "x", "a"), ("Identity", "a", "b"), ("Dropout", "b", "c"), ("Neg", "c", "d"), ("Neg", "b", "e"), ("Add", "d e", "y")
    )
    assert acts(drop_identities, graph) == 2 and acts(merge_twins, graph) == 1 and ops(graph) == ["Add", "Neg", "Relu"]


def test_twins_of_other_attributes_stay():
    graph = graph_of(("LeakyRelu", "x", "a", {"alpha": 0.1}), ("LeakyRelu", "x", "b", {"alpha": 0.2}), ("Add", "a b", "y"))
    assert acts(merge_twins, graph) == 0


TO_LAST, TO_FIRST = {"perm": [0, 2, 3, 1]}, {"perm": [0, 3, 1, 2]}


def test_layer_norm_between_transposes():
    nodes = [("Transpose", "x", "t", TO_LAST), ("LayerNormalization", "t g b", "n", {"epsilon": 1e-3}), ("Transpose", "n", "y", TO_FIRST)]
    graph = graph_of(*nodes, g=weights(4), b=weights(4))
    assert acts(lower_layer_norms, graph) == 1
    assert ops(graph) == ["Add", "Add", "Div", "Mul", "Mul", "ReduceMean", "ReduceMean", "Sqrt", "Sub"]


@pytest.mark.parametrize(
    ("attributes", "back"), [({"axis": 2}, TO_FIRST), ({}, {"perm": [0, 1, 3, 2]})], ids=["two axes", "another order back"]
)
def test_other_layer_norms_are_left(attributes, back):
    shape = (WIDTH, 4) if "axis" in attributes else (4,)
    nodes = [("Transpose", "x", "t", TO_LAST), ("LayerNormalization", "t g b", "n", attributes), ("Transpose", "n", "y", back)]
    assert acts(lower_layer_norms, graph_of(*nodes, g=weights(*shape), b=weights(*shape))) == 0


def chain(axis, source="x", square=("Mul", "d d", "q"), divide=(("Sqrt", "sh", "r"), ("Div", "d r", "n"))):
    return [
        ("ReduceMean", f"{source} {axis}", "m"),
        ("Sub", f"{source} m", "d"),
        square,
        ("ReduceMean", f"q {axis}", "var"),
        ("Add", "var eps", "sh"),
        *divide,
    ]


POW = ("Pow", "d two", "q")
NORM = {"two": TWO, "eps": np.float32(1e-3)}


@pytest.mark.parametrize("shape", [(4,), (1,), ()], ids=["a channel each", "one", "a scalar"])
def test_norm_chain_between_transposes(shape):
    nodes = [("Transpose", "x", "t", TO_LAST), *chain("last", "t", POW), ("Mul", "n g", "p"), ("Add", "b p", "z")]
    nodes += [("Transpose", "z", "y", TO_FIRST)]
    graph = graph_of(*nodes, g=weights(*shape), b=weights(4), last=np.int64([-1]), **NORM)
    assert acts(plain_powers, graph) == 1 and acts(channels_first_norms, graph) == 1 and "Transpose" not in ops(graph)


def test_norm_chain_whose_normalised_map_is_read_twice_is_left():
    nodes = [("Transpose", "x", "t", TO_LAST), *chain("last", "t"), ("Transpose", "n", "z", TO_FIRST)]
    graph = graph_of(*nodes, ("Transpose", "n", "u", TO_FIRST), ("Add", "z u", "y"), last=np.int64([3]), eps=NORM["eps"])
    assert acts(channels_first_norms, graph) == 0


def test_powers_and_reciprocals_are_plain():
    divide = (("Pow", "sh half", "r"), ("Reciprocal", "r", "i"), ("Mul", "i d", "n"))
    graph = graph_of(*chain("c", square=POW, divide=divide), c=np.int64([1]), half=HALF, **NORM)
    assert acts(plain_powers, graph) == 3
    assert ops(graph) == ["Add", "Div", "Mul", "ReduceMean", "ReduceMean", "Sqrt", "Sub"]


def conv(source, output, kernel=1, weight="w", bias="", **attributes):
    pads = [attributes.get("dilations", [1])[0] * (kernel // 2)] * 4
    return ("Conv", f"{source} {weight} {bias}".strip(), output, {"pads": pads, **attributes})


def test_conv_before_a_norm_is_centred():
    constants = {"w": weights(5, 4, 1, 1), "b": weights(5), "c": np.int64([1]), "eps": HALF}
    graph = graph_of(conv("x", "a", bias="b"), *chain("c", "a"), **constants)
    assert acts(centre_norms, graph) == 1 and ops(graph) == ["Add", "Conv", "Div", "Mul", "ReduceMean", "Sqrt"]


def test_conv_with_another_reader_is_not_centred():
    nodes = [conv("x", "a"), *chain("c", "a"), ("Add", "n a", "y")]
    assert acts(centre_norms, graph_of(*nodes, w=weights(5, 4, 1, 1), c=np.int64([1]), eps=HALF)) == 0


def test_repeated_input():
    graph = graph_of(("Concat", "x x x", "a", {"axis": 1}), conv("a", "y", 3), w=weights(5, 12, 3, 3))
    assert acts(merge_repeated_inputs, graph) == 1 and ops(graph) == ["Conv"]


@pytest.mark.parametrize(
    "nodes",
    [
        [("Concat", "x x", "a", {"axis": 1}), conv("a", "y", group=2)],
        [("Concat", "x x", "a", {"axis": 1}), conv("a", "b", weight="v"), ("Relu", "a", "r"), ("Add", "r b", "y")],
        [("Relu", "x", "r"), ("Concat", "x r", "a", {"axis": 1}), conv("a", "y", weight="v")],
    ],
    ids=["grouped", "read by another", "another tensor"],
)
def test_other_concats_are_left(nodes):
    used = {"v": weights(8, 8, 1, 1)} if "v" in nodes[1][1] or "v" in nodes[2 % len(nodes)][1] else {"w": weights(8, 4, 1, 1)}
    assert acts(merge_repeated_inputs, graph_of(*nodes, **used)) == 0


def test_parallel_branches_and_the_identity_are_one():
    nodes = [conv("x", "a", 3, "v", "b"), conv("x", "c"), ("Add", "a c", "d"), ("Add", "x d", "y")]
    graph = graph_of(*nodes, v=weights(4, 4, 3, 3), b=weights(4), w=weights(4, 4, 1, 1))
    assert acts(merge_parallel, graph) == 2 and ops(graph) == ["Conv"]


def test_depthwise_branches_are_one():
    nodes = [conv("x", "a", 5, "v", "b", group=4), conv("x", "c", group=4), ("Add", "c a", "d"), ("Add", "d x", "y")]
    graph = graph_of(*nodes, v=weights(4, 1, 5, 5), b=weights(4), w=weights(4, 1, 1, 1))
    assert acts(merge_parallel, graph) == 2 and ops(graph) == ["Conv"]


PARALLEL_LEFT = {
    "other dilation": ([conv("x", "a", 3, "v"), conv("x", "b", 3, "w", dilations=[2, 2]), ("Add", "a b", "y")], (4, 4, 3, 3)),
    "other group": ([conv("x", "a", 3, "v"), conv("x", "b", 3, "w", group=2), ("Add", "a b", "y")], (4, 2, 3, 3)),
    "other input": ([("Relu", "x", "r"), conv("x", "a", 3, "v"), conv("r", "b", 3, "w"), ("Add", "a b", "y")], (4, 4, 3, 3)),
    "read twice": (
        [conv("x", "a", 3, "v"), conv("x", "b", 3), ("Add", "a b", "c"), ("Relu", "a", "r"), ("Relu", "b", "s"), ("Sum", "c r s", "y")],
        (4, 4, 3, 3),
    ),
}


@pytest.mark.parametrize("case", PARALLEL_LEFT)
def test_other_sums_are_left(case):
    nodes, shape = PARALLEL_LEFT[case]
    assert acts(merge_parallel, graph_of(*nodes, v=weights(4, 4, 3, 3), w=weights(*shape))) == 0


def test_strided_and_unevenly_padded_convs_are_left():
    for attributes in ({"strides": [2, 2]}, {"pads": [0, 0, 2, 2]}):
        nodes = [conv("x", "a", 3, "v", **attributes), conv("x", "b", 3, "w", **attributes), ("Add", "a b", "y")]
        assert acts(merge_parallel, graph_of(*nodes, v=weights(4, 4, 3, 3), w=weights(4, 4, 3, 3))) == 0


@pytest.mark.parametrize(
    ("first", "second", "group"), [((16, 8, 1, 1), (6, 16, 3, 3), 1), ((6, 3, 1, 1), (6, 1, 3, 3), 6)], ids=["narrowing", "thin"]
)
def test_pointwise_then_kernel_is_one_conv(first, second, group):
    nodes = [conv("x", "a"), conv("a", "y", 3, "v", "b", group=group)]
    graph = graph_of(*nodes, channels=first[1], w=weights(*first), v=weights(*second), b=weights(6))
    assert acts(merge_pointwise, graph) == 1 and ops(graph) == ["Conv"]


@pytest.mark.parametrize("case", ["bias", "grows", "read twice", "kernel first"])
def test_other_pairs_are_left(case):
    channels = 8
    nodes = [conv("x", "a", bias="b" if case == "bias" else ""), conv("a", "y", 3, "v")]
    constants = {"w": weights(16, channels, 1, 1), "v": weights(6, 16, 3, 3)} | ({"b": weights(16)} if case == "bias" else {})
    if case == "grows":
        constants |= {"w": weights(2, channels, 1, 1), "v": weights(16, 2, 3, 3)}
    if case == "read twice":
        nodes = [*nodes[:1], conv("a", "c", 3, "v"), ("ReduceMean", "a one", "m"), ("Add", "c m", "y")]
        constants["one"] = np.int64([1])
    if case == "kernel first":
        nodes, constants = [conv("x", "a", 3), conv("a", "y", weight="v")], {"w": weights(16, channels, 3, 3), "v": weights(6, 16, 1, 1)}
    assert acts(merge_pointwise, graph_of(*nodes, channels=channels, **constants)) == 0


def ring_writes(values, spoil=None):
    """Indices and updates of four ScatterND that fill the border of a padded map, as PyTorch's exporter writes them."""
    sides = {"t": np.s_[:, :, :1, :], "u": np.s_[:, :, -1:, :], "l": np.s_[:, :, :, :1], "r": np.s_[:, :, :, -1:]}
    padded = np.stack(np.meshgrid(*map(np.arange, (1, len(values), HEIGHT + 2, WIDTH + 2)), indexing="ij"), -1)
    constants = {}
    for name, side in sides.items():
        indices = padded[side]
        updates = np.broadcast_to(values[None, :, None, None], indices.shape[:-1]).copy()
        constants |= {f"i{name}": indices, f"v{name}": updates}
    if spoil == "a hole":
        constants["it"], constants["vt"] = constants["it"][:, :, :, 1:-2], constants["vt"][:, :, :, 1:-2]
    if spoil == "a step":
        constants["vt"][0, 0, 0, 3] += 1
    return constants


def ring_graph(values, bias, spoil=None, pads=None, consumer=True):
    nodes = [conv("x", "a", bias="b"), ("Pad", "a pads", "p0")]
    nodes += [("ScatterND", f"p{i} i{side} v{side}", f"p{i + 1}") for i, side in enumerate("tulr")]
    nodes += [conv("p4", "y", 1, "k", "c")] if consumer else [("Relu", "p4", "y")]
    constants = {"w": weights(5, 4, 1, 1), "b": bias, "pads": np.int64(pads or [0, 0, 1, 1, 0, 0, 1, 1]), **ring_writes(values, spoil)}
    return graph_of(*nodes, **constants, **({"k": weights(6, 5, 3, 3), "c": weights(6)} if consumer else {}))


def test_ring_of_the_bias_is_gone():
    bias = weights(5)
    graph = ring_graph(bias, bias)
    assert acts(fold_rings, graph) == 1 and ops(graph) == ["Conv", "Conv"]
    assert graph.producer("a").inputs[2:] == []  # without its bias the 1x1 can be merged into what follows
    assert acts(merge_pointwise, graph) == 1 and ops(graph) == ["Conv"]


def test_ring_of_another_value_and_another_reader():
    graph = ring_graph(weights(5), weights(5), consumer=False)
    assert acts(fold_rings, graph) == 1 and ops(graph) == ["Add", "Conv", "Pad", "Relu"]


@pytest.mark.parametrize("spoil", ["a hole", "a step"])
def test_what_is_no_ring_is_left(spoil):
    bias = weights(5)
    assert acts(fold_rings, ring_graph(bias, bias, spoil)) == 0


def shuffle(source, output, block=2):
    return ("DepthToSpace", source, output, {"blocksize": block, "mode": "CRD"})


def test_shuffle_order_goes_back_through_sums_and_activations():
    nodes = [conv("x", "a", 3, "v"), ("PRelu", "a s", "b"), conv("x", "c", bias="d"), ("Gelu", "c", "e")]
    nodes += [("Add", "b e", "f"), ("Mul", "f g", "h")]
    constants = {"v": weights(12, 4, 3, 3), "s": weights(12, 1, 1), "w": weights(12, 4, 1, 1), "d": weights(12), "g": weights(1, 12, 1, 1)}
    graph = graph_of(*nodes, shuffle("h", "y"), **constants)
    before = ops(graph)
    assert acts(reorder_shuffles, graph) == 1 and ops(graph) == before
    assert graph.producer(graph.output).attrs["mode"] == "DCR"


def test_shuffle_order_is_set_by_a_conv_where_it_cannot_go_back():
    graph = graph_of(conv("x", "a"), ("Concat", "a a a", "b", {"axis": 1}), shuffle("b", "y", 3), w=weights(3, 4, 1, 1))
    assert acts(reorder_shuffles, graph) == 1 and ops(graph) == ["Concat", "Conv", "Conv", "DepthToSpace"]
    assert acts(merge_repeated_inputs, graph) == 1


def test_what_is_broadcast_over_the_channels_has_no_order():
    nodes = [conv("x", "a"), conv("x", "b", weight="v"), ("Mul", "a b", "c"), ("Add", "c h", "d")]
    graph = graph_of(*nodes, shuffle("d", "y"), w=weights(12, 4, 1, 1), v=weights(1, 4, 1, 1), h=HALF)
    assert acts(reorder_shuffles, graph) == 1 and ops(graph) == ["Add", "Conv", "Conv", "DepthToSpace", "Mul"]


def test_a_wrong_order_is_seen():
    """Control: naming the mode without reordering the filters changes the picture."""
    graph = graph_of(conv("x", "a"), shuffle("a", "y"), w=weights(12, 4, 1, 1))

    def lie(graph):
        lied = graph.nodes[-1].attrs["mode"] == "CRD"
        graph.nodes[-1].attrs["mode"] = "DCR"
        return int(lied)

    with pytest.raises(AssertionError):
        acts(lie, graph)


@pytest.mark.parametrize(("split", "perm"), [((1, 3, 2, 2), (0, 1, 4, 2, 5, 3)), ((1, 2, 2, 3), (0, 3, 4, 1, 5, 2))], ids=["CRD", "DCR"])
def test_shuffle_written_as_reshapes(split, perm):
    nodes = [("Reshape", "x s", "a"), ("Transpose", "a", "b", {"perm": perm}), ("Reshape", "b t", "y")]
    constants = {"s": np.int64([*split, HEIGHT, WIDTH]), "t": np.int64([1, 3, 2 * HEIGHT, 2 * WIDTH])}
    graph = graph_of(*nodes, channels=12, **constants)
    assert acts(name_shuffles, graph) == 1 and ops(graph) == ["DepthToSpace"]
    other = graph_of(nodes[0], ("Transpose", "a", "b", {"perm": [0, 1, 4, 3, 5, 2]}), nodes[2], channels=12, **constants)
    assert acts(name_shuffles, other) == 0


def test_long_concats_are_nested():
    graph = graph_of(("Relu", "x", "a"), ("Concat", "x a x a x a x a a x", "y", {"axis": 1}))
    assert acts(nest_concats, graph) == 1
    assert max(len(node.inputs) for node in graph.nodes) <= 5


def test_the_output_is_clipped_once():
    graph = graph_of(("Neg", "x", "a"), ("Clip", "a low high", "y"), low=np.float32(0), high=ONE)
    image = RNG.standard_normal(graph.input_shape).astype(np.float32)
    before = run(graph, image)
    clip_output(graph)
    assert ops(graph) == ["Min", "Neg", "Relu"] and np.array_equal(run(graph, image), before)


def loud_graph():
    """A block like LKDN's: products of large maps, then a Conv, then a norm."""
    nodes = [conv("x", "a", bias="b"), conv("a", "c", 3, "k", group=5), ("Mul", "a c", "p"), conv("p", "e", weight="v"), *chain("one", "e")]
    constants = {"w": 1e3 * weights(5, 4, 1, 1), "b": weights(5), "k": 1e2 * weights(5, 1, 3, 3), "v": weights(5, 5, 1, 1)}
    constants |= {"u": weights(3, 5, 1, 1), "one": np.int64([1]), "eps": np.float32(1e-5)}
    return graph_of(*nodes, conv("n", "y", weight="u"), **constants)


def test_rescaling_keeps_the_function_and_brings_magnitudes_down():
    graph = loud_graph()
    images = [np.abs(RNG.standard_normal((1, HEIGHT, WIDTH, 4))).astype(np.float32) for _ in range(3)]
    nchw = np.ascontiguousarray(images[0].transpose(0, 3, 1, 2))
    before = run(graph, nchw)
    assert rescale_onnx(graph, images) >= 3
    assert np.abs(run(graph, nchw) - before).max() <= 1e-5
    for name in ("a", "c", "e"):
        graph_up_to = graph.to_model([name])
        value = onnxruntime.InferenceSession(graph_up_to.SerializeToString()).run([name], {"x": nchw})[0]
        assert np.abs(value).max() <= 2 * HALF_TARGET


def test_what_an_activation_reads_is_not_rescaled():
    graph = graph_of(conv("x", "a"), ("Gelu", "a", "g"), conv("g", "y", weight="v"), w=1e5 * weights(5, 4, 1, 1), v=weights(5, 5, 1, 1))
    assert rescale_onnx(graph, [np.ones((1, HEIGHT, WIDTH, 4), np.float32)]) == 0


def test_receptive_radius():
    nodes = [conv("x", "a", 3, "v"), conv("a", "b", 5, "u", dilations=[3, 3], group=12), shuffle("b", "c"), conv("c", "y", 3, "t")]
    constants = {"v": weights(12, 4, 3, 3), "u": weights(12, 1, 5, 5), "t": weights(3, 3, 3, 3)}
    assert receptive_radius(graph_of(*nodes, **constants)) == 1 + 6 + 1  # a pixel at twice the size is half of one, rounded up
    everywhere = graph_of(("GlobalAveragePool", "x", "a"), ("Add", "x a", "y"))
    assert receptive_radius(everywhere) is None


def test_graph_that_runs_in_a_circle_is_refused():
    graph = graph_of(("Relu", "x", "a"), ("Add", "a a", "y"))
    graph.nodes[0].inputs = ["y"]
    with pytest.raises(ConversionError, match="circle"):
        graph.tidy()


REFERENCE = {
    "LKDN-S_x4_64x64": {"fuse_gelus": 36, "channels_first_norms": 5, "centre_norms": 5, "reorder_shuffles": 1, "merge_repeated_inputs": 1},
    "LKDN_x4_dynamic": {"fuse_gelus": 57, "lower_layer_norms": 8, "centre_norms": 8, "nest_concats": 1},
    "LKDN-S_x4_training_form_dynamic": {"fuse_gelus": 36, "lower_layer_norms": 5, "fold_rings": 1, "merge_parallel": 47},
}


@pytest.mark.parametrize("name", REFERENCE)
def test_reference_exports_become_the_deploy_graph(name, reference):
    path = reference / f"{name}.onnx"
    graph = fixed_graph(read_onnx(path), path, None, (64, 64))
    counts = rewrite(graph)
    assert counts.items() >= REFERENCE[name].items()
    left = {node.op for node in graph.nodes}
    assert left == {"Conv", "Gelu", "Add", "Mul", "Concat", "ReduceMean", "Sqrt", "Div", "DepthToSpace", "Min", "Relu"}
    assert len(graph.nodes) == (276 if "LKDN_x4" in name else 176)  # the training form is as small as the folded one
    image = RNG.random((1, 3, 64, 64), np.float32)
    session = onnxruntime.InferenceSession(str(path))
    expected = session.run(None, {"input": image})[0].clip(0, 1)
    assert np.abs(run(graph, image) - expected).max() <= 1e-5
    onnx.checker.check_model(graph.to_model(), full_check=True)


def test_every_rewrite_is_in_the_list():
    assert {r.__name__ for r in onnx_rewrites.REWRITES} >= {name for counts in REFERENCE.values() for name in counts}
