"""8-bit files rewritten for XNNPACK: the same numbers, fewer pieces, whatever the operations and their scales."""

import numpy as np
import pytest
from support.int8_nets import Int8Net

from conversion.tflite import value_tables as tables
from conversion.tflite.check import packed, parse_checked
from conversion.tflite.cpu_form import CpuForm, cpu_form
from conversion.tflite.left_operations import left_by_xnnpack, opened

UNARY = {
    **dict.fromkeys(("RSQRT", "LOGISTIC", "TANH", "EXP", "SQRT", "LOG", "ABS", "ELU"), {}),
    "GELU": {"options": "Gelu", "approximate": False},
    "HARD_SWISH": {"options": "HardSwish"},
    "LEAKY_RELU": {"options": "LeakyRelu", "alpha": 0.1},
}
"""Operations with an integer kernel in TFLite."""


def result(data, image):
    interpreter = opened(data)
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def noise(kind=np.int8, shape=(1, 16, 16, 3)):
    limits = np.iinfo(kind)
    return np.random.default_rng(0).integers(limits.min, limits.max + 1, shape).astype(kind)


def written(net, output, path):
    net.write(path, output)
    return path.read_bytes()


def random_chain(seed, path):
    """An image through a convolution, six random operations with random scales, and the pixel shuffle."""
    rng = np.random.default_rng(seed)
    net = Int8Net()
    value = net.conv(net.x, 12, rng, scale := float(rng.uniform(0.01, 0.1)), int(rng.integers(-100, 100)))
    for _ in range(6):
        kind, zero, after = rng.choice([*UNARY, "ADD", "MUL", "CONV_2D"]), int(rng.integers(-120, 120)), float(rng.uniform(0.005, 0.05))
        if kind == "LOGISTIC":
            after, zero = 1 / 256, -128  # what its kernel demands
        elif kind == "TANH":
            after, zero = 1 / 128, 0
        elif kind == "LOG":  # of positive numbers alone
            value = net.op8("RELU", value, scale=scale, zero=-128)
        elif kind in ("RSQRT", "SQRT"):
            value = net.op8("EXP", value, scale=0.1, zero=-128)
        if kind == "CONV_2D":
            value = net.conv(value, 12, rng, after, zero, scale)
        elif kind in ("ADD", "MUL"):
            width = int(rng.choice([1, 12]))
            other = net.constant8(rng.integers(-128, 128, width), float(rng.uniform(1e-5, 0.05)), int(rng.integers(-20, 20)))
            value = net.op8(kind, value, other, scale=after, zero=zero, options=kind.title(), version=2)
        else:
            value = net.op8(kind, value, scale=after, zero=zero, **UNARY[kind])
        scale = after
    shape = net.side_of(value)
    value = net.op8("DEPTH_TO_SPACE", value, scale=scale, zero=net.graph.tensors[value].quantization.zeroPoint[0],
                    out=(1, shape[1] * 2, shape[2] * 2, 3), options="DepthToSpace", blockSize=2)  # fmt: skip
    return written(net, value, path)


@pytest.mark.parametrize("seed", range(12))
def test_random_graphs_give_the_same_numbers_in_one_piece(tmp_path, seed):
    data = random_chain(seed, tmp_path / "x.tflite")
    made = cpu_form(data)
    assert made.rewritten and len(made.left) < made.rewritten
    assert left_by_xnnpack(opened(data)) and len(left_by_xnnpack(opened(made.data))) == len(made.left)
    for kept in (noise(), np.full((1, 16, 16, 3), -128, np.int8), np.full((1, 16, 16, 3), 127, np.int8)):
        np.testing.assert_array_equal(result(made.data, kept), result(data, kept))


@pytest.mark.parametrize("kind", [np.int8, np.uint8])
def test_an_operation_of_either_8_bit_type_is_taken(tmp_path, kind):
    net = Int8Net(kind=kind)
    data = written(net, net.op8("GELU", net.x, scale=0.02, zero=3, **UNARY["GELU"]), tmp_path / "x.tflite")
    made = cpu_form(data)
    assert made.left == () and made.rewritten == len(left_by_xnnpack(opened(data)))
    np.testing.assert_array_equal(result(made.data, noise(kind)), result(data, noise(kind)))


def test_a_long_chain_is_more_than_one_table(tmp_path):
    """XNNPACK joins up to ten steps into a table; what it makes of more must be the same numbers, again and again."""
    net = Int8Net()
    value = net.x
    for step in range(9):
        value = net.op8("GELU", value, scale=0.01 + step / 1000, zero=-100 + step, **UNARY["GELU"])
    data = written(net, value, tmp_path / "x.tflite")
    made = cpu_form(data)
    assert made.rewritten == 9
    for _ in range(3):
        np.testing.assert_array_equal(result(made.data, noise()), result(data, noise()))


def test_what_float_would_compute_otherwise_stays(tmp_path, monkeypatch):
    """The control: a float kernel whose results no nudge can bring to the integer kernel's is seen, and not used."""
    net = Int8Net()
    data = written(net, net.op8("GELU", net.x, scale=0.01, zero=-100, **UNARY["GELU"]), tmp_path / "x.tflite")
    real = tables._Alone.tables

    def two_steps_off(self, data):
        values = [table.copy() for table in real(self, data)]
        if left_by_xnnpack(opened(data)) == []:
            values[0].flat[77] += np.asarray(2).astype(values[0].dtype)
        return values

    monkeypatch.setattr(tables._Alone, "tables", two_steps_off)
    made = cpu_form(data)
    assert made.rewritten == 0 and made.left == ("GELU",) and made.data == data


def test_a_table_that_float_rounds_otherwise_is_nudged(tmp_path):
    """TFLite's fixed-point RSQRT gives some values one step off; with these parameters it does, and float is brought there."""
    for scale, after in ((0.24117294, 0.00266018), (0.14778765, 0.01486433)):
        net = Int8Net()
        net.quantize(net.x, scale, -128)
        data = written(net, net.op8("RSQRT", net.x, scale=after, zero=-128), tmp_path / "x.tflite")
        (nudge,) = tables.proven(parse_checked(data, "x"), [0]).values()
        assert nudge is not None and nudge != (1.0, 0.0)
        image = np.arange(-128, 128, dtype=np.int8).repeat(3).reshape(1, 16, 16, 3)
        np.testing.assert_array_equal(result(cpu_form(data).data, image), result(data, image))


def test_two_varying_inputs_are_a_table_of_65536(tmp_path):
    """An addition that XNNPACK refuses because of its scales."""
    net = Int8Net()
    data = written(net, net.op8("ADD", net.x, net.op8("ABS", net.x, scale=5.0, zero=0), scale=0.004, zero=-128, options="Add", version=2),
                   tmp_path / "x.tflite")  # fmt: skip
    assert left_by_xnnpack(opened(data))
    made = cpu_form(data)
    np.testing.assert_array_equal(result(made.data, noise()), result(data, noise()))


@pytest.mark.parametrize("spoil", ["one", "all"])
def test_an_operation_without_a_float_kernel_spoils_none(tmp_path, monkeypatch, spoil):
    """LiteRT refuses the whole file that they are tried in; each of the others is still tried."""
    net = Int8Net()
    value = net.op8("GELU", net.x, scale=0.01, zero=-100, **UNARY["GELU"])
    data = written(net, net.op8("RSQRT", value, scale=0.02, zero=-128), tmp_path / "x.tflite")
    real = tables._compare

    def refusing(plain, integers, tried):
        if spoil == "all" or 1 in plain.numbers:
            raise RuntimeError("no such kernel")
        return real(plain, integers, tried)

    monkeypatch.setattr(tables, "_compare", refusing)
    assert set(tables.proven(parse_checked(data, "x"), [0, 1])) == ({0} if spoil == "one" else set())


def test_other_files_stay_as_they_are(tiny_model):
    for name, left in (("random", ()), ("int8", ()), ("fixed", ("RESIZE_NEAREST_NEIGHBOR",))):
        data = tiny_model(name).read_bytes()
        assert cpu_form(data) == CpuForm(data, 0, left)


def test_names_signature_and_card_stay(tmp_path):
    from conversion.tflite.file import read_tflite, with_metadata

    data = with_metadata(random_chain(0, tmp_path / "x.tflite"), {"name": "tiny"})
    (tmp_path / "plain.tflite").write_bytes(data)
    (tmp_path / "cpu.tflite").write_bytes(cpu_form(data).data)
    plain, made = read_tflite(tmp_path / "plain.tflite"), read_tflite(tmp_path / "cpu.tflite")
    assert made.card == {"name": "tiny"} and made.signatures == plain.signatures and made.metadata == plain.metadata
    for tensors in ("inputs", "outputs"):
        before, after = ([file.tensors[i] for i in getattr(file, tensors)] for file in (plain, made))
        assert before == after


def test_operator_codes_of_old_files_are_read_right(tmp_path):
    """Their numbers stand in the older field; 0, which is ADD, in the newer one."""
    net = Int8Net()
    data = written(net, net.op8("RSQRT", net.x, scale=0.00266018, zero=-128), tmp_path / "x.tflite")
    old = parse_checked(data, "x")
    for code in old.operatorCodes:
        code.builtinCode = 0
    made = cpu_form(packed(old))
    assert made.rewritten == 1
    np.testing.assert_array_equal(result(made.data, noise()), result(data, noise()))
