"""Files that ask for much time or memory, one function a kind: bytes of any size, for the tests of the limits and for the fuzzer."""

import io
import json
import pickle
import struct
import zipfile

import numpy as np

ORDERED = b"\x89ccollections\nOrderedDict\n)R"
_STORAGE = b"X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"


def text(word):
    """BINUNICODE of a word."""
    data = word.encode()
    return b"X" + struct.pack("<I", len(data)) + data


def number(value):
    """LONG1 of a number."""
    data = pickle.encode_long(value)
    return b"\x8a" + bytes([len(data)]) + data


def torch_zip(pickled, values=4, members=0, stored=zipfile.ZIP_STORED):
    """A .pth of one storage of float32 0, 1, 2, ... and this data.pkl."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", stored) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/data/0", np.arange(values, dtype="<f4").tobytes())
        for place in range(members):
            archive.writestr(f"archive/data/{place + 1}", b"")
    return target.getvalue()


def storage(count=b"K\x04", kind=None):
    """The persistent id of the storage."""
    return b"(" + (_STORAGE if kind is None else kind + _STORAGE[12:]) + count + b"tQ"


def tensor(size, stride, count=b"K\x04"):
    """A tensor of that storage: sizes and strides as whole numbers."""
    tuples = b"".join(b"(" + b"".join(map(number, numbers)) + b"t" for numbers in (size, stride))
    return b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(count) + b"K\x00" + tuples + ORDERED + b"tR"


def saved(value):
    """A pickle of {"a.weight": value}."""
    return b"\x80\x02}" + text("a.weight") + value + b"s."


def laughs(depth):
    """A tuple of two of a tuple of two, and so on: its text, hash and comparison take 2 to the power of depth."""
    return b")q\x00" + b"h\x00\x86q\x00" * depth


def pth_colliding_keys(count):
    """Numbers that all have the hash 0, as keys."""
    return torch_zip(b"\x80\x02}(" + b"".join(number(k * ((1 << 61) - 1)) + b"N" for k in range(count)) + b"u.")


def pth_numbered(count):
    """Keys as an optimizer has them, beside a tensor."""
    keys = b"".join(number(k) + b"N" for k in range(count))
    return torch_zip(b"\x80\x02}(" + text("a.weight") + tensor((2, 2), (2, 1)) + text("state") + b"}(" + keys + b"uu.")


def pth_nested_key(depth):
    """A key that takes for ever to hash."""
    return torch_zip(b"\x80\x02}" + laughs(depth) + b"K\x01s.")


def pth_rank(rank):
    """A tensor of one value of so many dimensions, each said to be 2 to the power of 1,000, with strides of 0."""
    return torch_zip(saved(tensor([1 if rank <= 8 else 1 << 1000] * rank, [0] * rank)))


def pth_laughing_kind(depth):
    """A storage's kind that takes for ever to print."""
    return torch_zip(saved(b"ctorch._utils\n_rebuild_tensor_v2\n(" + storage(kind=laughs(depth)) + b"tR"))


def pth_laughing_count(depth):
    """A storage's number of values that takes for ever to print."""
    return torch_zip(saved(tensor((1,), (1,), laughs(depth))))


def pth_flood(operations, what):
    """So many bytes of one operation."""
    return torch_zip(b"\x80\x02" + what * (operations // len(what)) + b".")


def pth_calls(items, calls):
    """One tuple of many items, handed to a function again and again."""
    begin = b"\x80\x02ccollections\nOrderedDict\nq\x01(" + b"N" * items + b"tq\x00"
    return torch_zip(begin + b"h\x01h\x00R" * calls + b".")


def pth_tensors(count):
    """A tensor handed out again and again by a few bytes."""
    once = b"ctorch._utils\n_rebuild_tensor_v2\nq\x01(" + storage() + b"K\x00K\x04\x85K\x01\x85" + ORDERED + b"tq\x02"
    return torch_zip(b"\x80\x02](" + once + b"h\x01h\x02R" * count + b"e.")


def pth_lying(size, says=100):
    """A member that unpacks to so many bytes and says another number."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("archive/data.pkl", bytes(size))
    data = bytearray(target.getvalue())
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = data.index(mark) + place
        data[at : at + 4] = struct.pack("<I", says)
    return bytes(data)


def zip_directory(members):
    """A zip's list of so many members, which all lead to one."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    listed = entry * members
    return listed + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, members & 0xFFFF, members & 0xFFFF, len(listed), 0, 0)


def pth_legacy(state, storages=None, count=None, order=True, magic=0x1950A86A20F9469CFC6C):
    """A checkpoint as PyTorch before 1.6 wrote it: float32 tensors, each with a storage of its own; `count` lies about the first's size."""
    items = b""
    for key, (name, array) in enumerate(state.items()):
        strides = [s // array.itemsize for s in array.strides]
        said = array.size if key or count is None else count
        pid = b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu") + number(said) + b"NtQ"
        tuples = b"".join(b"(" + b"".join(map(number, numbers)) + b"t" for numbers in (array.shape, strides))
        items += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + pid + b"K\x00" + tuples + ORDERED + b"tR"
    machine = {"protocol_version": 1001, "little_endian": order, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    head = [pickle.dumps(part, 2) for part in (magic, 1001, machine)]
    head += [b"\x80\x02ccollections\nOrderedDict\n)R(" + items + b"u.", pickle.dumps([str(key) for key in range(len(state))], 2)]
    rows = [array.astype("<f4").tobytes() for array in state.values()]
    return b"".join(head) + b"".join(struct.pack("<Q", len(row) // 4) + row for row in rows)


def safetensors_of(header, data=b""):
    """A file with this header, a dictionary or its text."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(head)) + head + data


def safetensors_empty(count):
    """So many tensors without a value."""
    entry = '"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}'
    return safetensors_of(("{" + ",".join(entry % place for place in range(count)) + "}").encode())


def hdf5_deep(path, depth, width=1):
    """Groups within groups, so many of them side by side."""
    import h5py

    with h5py.File(path, "w") as file:
        for place in range(width):
            group = file.create_group(f"g{place}")
            for _ in range(depth - 1):
                group = group.create_group("g")


def npz_members(count):
    """So many arrays of no value."""
    target, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros(0, np.float32))
    with zipfile.ZipFile(target, "w") as archive:
        for place in range(count):
            archive.writestr(f"{place}.npy", array.getvalue())
    return target.getvalue()


class Flat:
    """A flatbuffer by hand: tables, vectors and names that are written once and lead to one another as often as wished."""

    def __init__(self):
        import flatbuffers

        self.builder = flatbuffers.Builder(1 << 16)

    def table(self, slots):
        """A table of {slot: ("ref", offset) or (kind, value)}."""
        self.builder.StartObject(max(slots, default=0) + 1)
        for slot, (kind, value) in slots.items():
            if kind == "ref":
                self.builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                getattr(self.builder, f"Prepend{kind}Slot")(slot, value, 0)
        return self.builder.EndObject()

    def refs(self, offsets):
        """A vector of references."""
        self.builder.StartVector(4, len(offsets), 4)
        for offset in reversed(offsets):
            self.builder.PrependUOffsetTRelative(offset)
        return self.builder.EndVector()

    def numbers(self, values):
        """A vector of int32."""
        return self.builder.CreateNumpyVector(np.asarray(values, np.int32))

    def model(self, tensors=(), operators=(), buffers=None, metadata=None, signatures=None):
        """The bytes of a model with one graph."""
        buffers = buffers or [self.table({})]
        code = self.table({0: ("Int8", 0), 2: ("Int32", 1)})
        io_ = self.numbers([0] if tensors else [])
        slots = {0: ("ref", self.refs(tensors)), 1: ("ref", io_), 2: ("ref", io_), 3: ("ref", self.refs(operators))}
        graph = self.table(slots)
        parts = {0: ("Uint32", 3), 1: ("ref", self.refs([code])), 2: ("ref", self.refs([graph])), 4: ("ref", self.refs(buffers))}
        parts |= {6: ("ref", self.refs(metadata))} if metadata else {}
        parts |= {7: ("ref", self.refs(signatures))} if signatures else {}
        self.builder.Finish(self.table(parts), file_identifier=b"TFL3")
        return bytes(self.builder.Output())


def tflite_shapes(tensors, dimensions):
    """So many tensors that share one shape of so many dimensions."""
    flat = Flat()
    shape = flat.numbers([1] * dimensions)
    return flat.model([flat.table({0: ("ref", shape)}) for _ in range(tensors)])


def tflite_names(tensors, length):
    """So many tensors that share one long name."""
    flat = Flat()
    name = flat.builder.CreateString("n" * length)
    return flat.model([flat.table({3: ("ref", name)}) for _ in range(tensors)])


def tflite_scales(tensors, count):
    """So many tensors that share many scales."""
    flat = Flat()
    scale = flat.builder.CreateNumpyVector(np.ones(count, np.float32))
    quantization = flat.table({2: ("ref", scale)})
    return flat.model([flat.table({4: ("ref", quantization)}) for _ in range(tensors)])


def tflite_variants(tensors, count):
    """So many tensors that share one list of many variants."""
    flat = Flat()
    listed = flat.refs([flat.table({})] * count)
    return flat.model([flat.table({9: ("ref", listed)}) for _ in range(tensors)])


def tflite_inputs(operators, count):
    """So many operations that share one long list of inputs."""
    flat = Flat()
    listed = flat.numbers([0] * count)
    operator = [flat.table({1: ("ref", listed)}) for _ in range(operators)]
    return flat.model([flat.table({})], operator)


def tflite_signatures(count, names):
    """So many signatures that share one list of many names."""
    flat = Flat()
    entry = flat.table({0: ("ref", flat.builder.CreateString("x"))})
    listed = flat.refs([entry] * names)
    return flat.model([flat.table({})], signatures=[flat.table({0: ("ref", listed), 1: ("ref", listed)}) for _ in range(count)])


def tflite_metadata(entries, length):
    """So many entries of metadata that share one buffer."""
    flat = Flat()
    buffers = [flat.table({}), flat.table({0: ("ref", flat.builder.CreateNumpyVector(np.zeros(length, np.uint8)))})]
    entry = flat.table({0: ("ref", flat.builder.CreateString("m")), 1: ("Uint32", 1)})
    return flat.model([flat.table({})], buffers=buffers, metadata=[entry] * entries)


def tflite_operators(count):
    """So many operations, each of which reads the tensor before and makes the next."""
    flat = Flat()
    sides = flat.numbers([1, 4, 4, 3])
    tensors = [flat.table({0: ("ref", sides)}) for _ in range(count + 1)]
    operators = []
    for place in range(count):
        inputs, outputs = flat.numbers([place, place]), flat.numbers([place + 1])
        operators.append(flat.table({1: ("ref", inputs), 2: ("ref", outputs)}))
    return flat.model(tensors, operators)


def _enlarging(x="x", more=()):
    """The bytes of an .onnx that enlarges an image by nearest neighbours, with more nodes before it."""
    from support.foreign_onnx import Net

    net = Net()
    net.nodes += more
    return net.finish(net.upsample(x, mode="nearest")).SerializeToString()


def onnx_zeros(count):
    """An .onnx that makes so many zeros for nothing."""
    from onnx import helper, numpy_helper

    from support.foreign_onnx import Net

    net = Net()
    zeros = net.op("ConstantOfShape", net.value([count], np.int64), value=numpy_helper.from_array(np.zeros(1, np.float32)))
    rows = net.op("Cast", net.op("Gather", net.op("Shape", "x"), net.value(2, np.int64), axis=0), to=1)  # so that nothing is folded
    zeros = net.op("Mul", net.op("ReduceSum", net.op("Mul", zeros, rows), keepdims=0), net.value(0.0))
    net.nodes.append(helper.make_node("Add", ["x", zeros], ["y"]))
    return net.finish(net.upsample("y", mode="nearest")).SerializeToString()


def onnx_chain(count):
    """An .onnx of so many nodes, each of which reads the one before."""
    from onnx import helper

    names = ["x", *(f"n{number}" for number in range(count))]
    return _enlarging(names[-1], [helper.make_node("Neg", [before], [after]) for before, after in zip(names, names[1:])])


def onnx_branches(depth):
    """An .onnx whose If holds an If, and so on."""
    from onnx import TensorProto, helper, numpy_helper

    def graph(level):
        shape = helper.make_tensor_value_info(f"o{level}", TensorProto.FLOAT, [None] * 4)
        if not level:
            return helper.make_graph([helper.make_node("Identity", ["x"], ["o0"])], "g0", [], [shape])
        yes = helper.make_node("Constant", [], [f"c{level}"], value=numpy_helper.from_array(np.array(True)))
        other = helper.make_tensor_value_info(f"e{level}", TensorProto.FLOAT, [None] * 4)
        same = helper.make_graph([helper.make_node("Identity", ["x"], [f"e{level}"])], f"h{level}", [], [other])
        taken = helper.make_node("If", [f"c{level}"], [f"o{level}"], then_branch=graph(level - 1), else_branch=same)
        return helper.make_graph([yes, taken], f"g{level}", [], [shape])

    return _enlarging(f"o{depth}", list(graph(depth).node))
