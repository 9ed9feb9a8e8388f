"""Ways to spoil a file: any bytes, and for formats with checksums or structure the parts behind these.

Every mutation takes the bytes of a good file and a seeded `random.Random`, and gives other bytes. `mutate_any` knows nothing
of a format; the others take a file apart, spoil one part and put it together again, so that a reader gets past its first check.
"""

import io
import json
import random
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

Mutation = Callable[[bytes, random.Random], bytes]

INTERESTING = (0, 1, 2, 3, 7, 8, 15, 16, 31, 32, 64, 100, 127, 128, 255, 256, 1000, 4095, 4096, 32767, 32768, 65535, 65536, 1 << 20)
INTERESTING += ((1 << 24) + 1, 1 << 28, (1 << 31) - 1, 1 << 31, (1 << 32) - 1, (1 << 48), (1 << 63) - 1, -1, -2, -128, -32768, -(1 << 31))
TEXTS = ("", "\0", "\n", "a\nb", "../../etc/passwd", "/dev/zero", "\ud800", "é" * 40, "x" * 70000, "nan", "1e999", "%s%n", "__class__")


def mutate_any(data: bytes, dice: random.Random) -> bytes:
    """One to a dozen changes anywhere."""
    for _ in range(min(12, 1 + int(dice.expovariate(0.5)))):
        data = dice.choice(_BYTE_CHANGES)(data, dice)
    return data


def splicing(other: bytes, mutation: Mutation) -> Mutation:
    """Now and then the file gets a part of another one instead."""

    def mutate(data: bytes, dice: random.Random) -> bytes:
        if dice.random() > 0.1:
            return mutation(data, dice)
        start, length = dice.randrange(len(other) or 1), 1 << dice.randrange(14)
        at = dice.randrange(len(data) or 1)
        return data[:at] + other[start : start + length] + data[at + dice.choice((0, length)) :]

    return mutate


def mutate_zip(inner: dict[str, Mutation]) -> Mutation:
    """Spoils members and packs them again with right checksums; `inner` says how, by a name's ending."""

    def mutate(data: bytes, dice: random.Random) -> bytes:
        if dice.random() < 0.25:
            return mutate_any(data, dice)
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(entry.filename, archive.read(entry)) for entry in archive.infolist()]
        for _ in range(1 + (dice.random() < 0.3)):
            number = dice.randrange(len(members))
            if dice.random() < 0.4:  # the small members describe the others
                number = min(range(len(members)), key=lambda n: (len(members[n][1]), n))
            name, content = members[number]
            way = next((way for ending, way in inner.items() if name.endswith(ending)), mutate_any)
            if dice.random() < 0.9:
                members[number] = (name, way(content, dice))
            else:
                members = dice.choice(_MEMBER_CHANGES)(members, number, dice)
        packing = dice.choices((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA), (70, 24, 3, 3))[0]
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w", packing, strict_timestamps=False) as archive:
            for name, content in members:
                archive.writestr(zipfile.ZipInfo(name or "?"), content, packing)
        return target.getvalue()

    return mutate


def mutate_npy(data: bytes, dice: random.Random) -> bytes:
    """Spoils the text that describes an array, and says its right length."""
    if dice.random() < 0.3 or data[:6] != b"\x93NUMPY":
        return mutate_any(data, dice)
    (length,) = struct.unpack("<H", data[8:10])
    header = data[10 : 10 + length]
    numbers = (b"(0,)", b"(-1,)", b"(4294967296, 4)", b"(9223372036854775807,)", b"(1,1,1,1,1)", b"()", b"(2.5,)", b"(3,)*9", b"(True,)")
    types = (b"'|O'", b"'<f8'", b"'<U9999999'", b"'|V0'", b"'<c8'", b"[('a','<f4')]", b"'<M8[s]'", b"'?'", b"'bad'", b"'<f2'", b"'|S1'")
    if dice.random() < 0.4 and b"(" in header and b")" in header:
        header = header[: header.index(b"(")] + dice.choice(numbers) + header[header.index(b")") + 1 :]
    elif dice.random() < 0.6:
        header = header.replace(b"'<f4'", dice.choice(types))
    else:
        header = mutate_any(header, dice)
    return data[:8] + struct.pack("<H", len(header) & 0xFFFF) + header + data[10 + length :]


def mutate_safetensors(data: bytes, dice: random.Random) -> bytes:
    """Spoils a value of the header, and says its right length."""
    if dice.random() < 0.3:
        return mutate_any(data, dice)
    (length,) = struct.unpack("<Q", data[:8])
    header = mutate_json(data[8 : 8 + length], dice)
    return struct.pack("<Q", len(header)) + header + data[8 + length :]


def mutate_json(data: bytes, dice: random.Random) -> bytes:
    """Another value, key or nesting somewhere in a JSON."""
    if dice.random() < 0.2:
        return mutate_any(data, dice)
    if dice.random() < 0.03:
        depth = dice.choice((100, 3000, 100_000))
        return b"[" * depth + (b"]" * depth if dice.random() < 0.5 else b"")
    content = json.loads(data)
    for _ in range(1 + (dice.random() < 0.4)):
        content = _changed_value(content, dice)
    return json.dumps(content).encode()


def mutate_png(data: bytes, dice: random.Random) -> bytes:
    """Spoils a chunk, or the pixels inside of the compressed ones, and makes every checksum right."""
    if dice.random() < 0.3:
        return mutate_any(data, dice)
    chunks, at = [], 8
    while at + 8 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = dice.randrange(len(chunks))
    name, body = chunks[number]
    if name == b"IHDR" and dice.random() < 0.7:
        body = _changed_number(body, dice, ">I", (0, 4)) if dice.random() < 0.7 else _changed_number(body, dice, "B", range(8, 13))
    elif name == b"IDAT" and dice.random() < 0.5:
        body = zlib.compress(mutate_any(zlib.decompressobj().decompress(body), dice))
    elif dice.random() < 0.15:
        chunks.insert(dice.randrange(len(chunks)), (name, body))
    elif dice.random() < 0.15:
        name = bytes(dice.choice(b"ITEXCPatdhkeyc") for _ in range(4))
    else:
        body = mutate_any(body, dice)
    chunks[number] = (name, body)
    packed = (struct.pack(">I", len(b)) + n + b + struct.pack(">I", zlib.crc32(n + b)) for n, b in chunks)
    return data[:8] + b"".join(packed)


def mutate_tiff(data: bytes, dice: random.Random) -> bytes:
    """Another tag, type, count or value in the first directory of a little-endian TIFF."""
    if dice.random() < 0.3 or data[:4] != b"II*\0":
        return mutate_any(data, dice)
    (directory,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[directory : directory + 2])
    spoilt = bytearray(data)
    for _ in range(1 + (dice.random() < 0.5)):
        entry = directory + 2 + 12 * dice.randrange(entries)
        place, form = dice.choice(((0, "<H"), (2, "<H"), (4, "<I"), (8, "<I"), (8, "<I"), (8, "<H")))
        spoilt = bytearray(_changed_number(bytes(spoilt), dice, form, (entry + place,)))
    return bytes(spoilt)


def mutate_onnx(data: bytes, dice: random.Random) -> bytes:
    """Other fields somewhere in the protocol buffer, encoded as such."""
    import onnx

    if dice.random() < 0.25:
        return mutate_any(data, dice)
    model = onnx.ModelProto.FromString(data)
    for _ in range(1 + (dice.random() < 0.4)):
        _change_message(model, dice)
    return model.SerializeToString()


def mutate_tflite(data: bytes, dice: random.Random) -> bytes:
    """Other values somewhere in the model, packed as a sound flatbuffer; else bytes, mostly outside of the weights."""
    from ai_edge_litert import schema_py_generated as schema

    from conversion.tflite.check import packed

    if dice.random() < 0.35:
        return mutate_any(data, dice)
    model = schema.ModelT.InitFromPackedBuf(data, 0)
    for _ in range(1 + int(dice.expovariate(1))):
        _change_object(model, dice)
    try:
        return packed(model)
    except Exception:  # a value that no flatbuffer can hold
        return mutate_any(data, dice)


def mutate_text(data: bytes, dice: random.Random) -> bytes:
    """Lines and numbers of a text."""
    if dice.random() < 0.4:
        return mutate_any(data, dice)
    lines = data.split(b"\n")
    for _ in range(1 + int(dice.expovariate(0.5))):
        number = dice.randrange(len(lines))
        words = lines[number].replace(b"=", b"= ").replace(b":", b": ").split(b" ")
        words[dice.randrange(len(words))] = dice.choice(_WORDS)
        lines[number] = dice.choice((b" ".join(words), b"", lines[number - 1], lines[number] * 2))
    return b"\n".join(lines)


_WORDS = (b"", b"-", b"1.2.3", b"1e", b"count=1", b"[", b"%", b"\t", b"9" * 5000, b"\xff", b"=")


def _flip(data: bytes, dice: random.Random) -> bytes:
    spoilt = bytearray(data)
    for _ in range(1 << dice.randrange(5)):
        if spoilt:
            spoilt[dice.randrange(len(spoilt))] ^= 1 << dice.randrange(8)
    return bytes(spoilt)


def _overwrite(data: bytes, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(data) or 1), 1 << dice.randrange(8)
    fill = dice.choice((bytes(length), b"\xff" * length, dice.randbytes(length)))
    return data[:at] + fill + data[at + length :]


def _integer(data: bytes, dice: random.Random) -> bytes:
    form = dice.choice(("B", "<H", "<I", "<Q", ">H", ">I", ">Q"))
    last = min(len(data), dice.choice((64, 512, len(data)))) - struct.calcsize(form)
    return _changed_number(data, dice, form, (dice.randrange(last),)) if last > 0 else data


def _cut(data: bytes, dice: random.Random) -> bytes:
    return data[: dice.randrange(len(data) or 1)]


def _delete(data: bytes, dice: random.Random) -> bytes:
    at = dice.randrange(len(data) or 1)
    return data[:at] + data[at + (1 << dice.randrange(12)) :]


def _repeat(data: bytes, dice: random.Random) -> bytes:
    at, length = dice.randrange(len(data) or 1), 1 << dice.randrange(12)
    return data[:at] + data[at : at + length] * dice.choice((2, 2, 3, 20)) + data[at + length :]


_BYTE_CHANGES = (_flip, _flip, _flip, _overwrite, _integer, _integer, _integer, _cut, _delete, _repeat)


def _changed_number(data: bytes, dice: random.Random, form: str, places: Any) -> bytes:
    at, size = dice.choice(tuple(places)), struct.calcsize(form)
    if at + size > len(data):
        return data
    (old,) = struct.unpack(form, data[at : at + size])
    new = dice.choice((*INTERESTING, old + 1, old - 1, old * 2, dice.getrandbits(8 * size))) % (1 << 8 * size)
    return data[:at] + struct.pack(form, new) + data[at + size :]


def _drop(members: list, number: int, dice: random.Random) -> list:
    return members[:number] + members[number + 1 :] if len(members) > 1 else members


def _twice(members: list, number: int, dice: random.Random) -> list:
    return [*members, (members[number][0], members[dice.randrange(len(members))][1])]


def _rename(members: list, number: int, dice: random.Random) -> list:
    name = dice.choice((members[dice.randrange(len(members))][0], "../" + members[number][0], "/etc/passwd", "a/" * 50 + "b"))
    return [*members[:number], (name, members[number][1]), *members[number + 1 :]]


_MEMBER_CHANGES = (_drop, _twice, _rename)


def _strange(old: Any, dice: random.Random) -> Any:
    """Another value: mostly of the same kind."""
    if isinstance(old, bool) or dice.random() < 0.15:
        return dice.choice((None, True, [], {}, "", 0, -1, 1e308, float("nan"), [old], {"a": old}, "x", [[]] * 3, 10**30, "9" * 5000))
    if isinstance(old, int):
        return dice.choice((*INTERESTING, old + 1, old - 1, old * 2, -old))
    if isinstance(old, float):
        return dice.choice((0.0, -1.0, float("nan"), float("inf"), 1e-320, old * 2, -old))
    return dice.choice(TEXTS[:6] + TEXTS[7:]) if dice.random() < 0.7 else str(old)[:-1]


def _changed_value(content: Any, dice: random.Random) -> Any:
    if isinstance(content, dict) and content and dice.random() < 0.97:
        key = dice.choice(list(content))
        kind = dice.random()
        if kind < 0.05:
            return {k: v for k, v in content.items() if k != key}
        if kind < 0.1:
            return {**content, dice.choice(("new", "", key + "x", "__metadata__")): content[key]}
        return {**content, key: _changed_value(content[key], dice)}
    if isinstance(content, list) and content and dice.random() < 0.95:
        at = dice.randrange(len(content))
        if dice.random() < 0.2:
            return content[:at] + content[at + 1 :] if dice.random() < 0.5 else content + [content[at]]
        return [*content[:at], _changed_value(content[at], dice), *content[at + 1 :]]
    return _strange(content, dice)


def _change_message(message: Any, dice: random.Random) -> None:
    """Walks down a protocol buffer by chance and changes a field there."""
    fields = [field for field, _ in message.ListFields()]
    if not fields:
        return
    field = dice.choice(fields)
    value = getattr(message, field.name)
    repeated = hasattr(value, "append") or hasattr(value, "add")
    if field.message_type is not None:
        if repeated and dice.random() < 0.12:
            if dice.random() < 0.5:
                del value[dice.randrange(len(value))]
            else:
                value.add().CopyFrom(dice.choice(list(value)))
            return
        _change_message(dice.choice(list(value)) if repeated else value, dice)
        return
    old = dice.choice(list(value)) if repeated else value
    for _ in range(5):  # until a value fits the field
        new = _strange_for(old, dice)
        try:
            if not repeated:
                setattr(message, field.name, new)
            elif dice.random() < 0.7:
                value[dice.randrange(len(value))] = new
            else:
                value.append(new)
            return
        except (TypeError, ValueError):
            continue


def _strange_for(old: Any, dice: random.Random) -> Any:
    if isinstance(old, bytes):
        return mutate_any(old, dice)
    return dice.choice(TEXTS[:6] + TEXTS[7:]) if isinstance(old, str) else _strange(old, dice)


def _change_object(root: Any, dice: random.Random) -> None:
    """Walks down a flatbuffers object by chance and changes an attribute there."""
    import numpy as np

    value, owner, name = root, None, ""
    for _ in range(12):
        if isinstance(value, list) and value:
            if isinstance(value[0], (int, float)):
                break
            if dice.random() < 0.06:
                value.pop(dice.randrange(len(value))) if dice.random() < 0.5 else value.append(dice.choice(value))
                return
            value = dice.choice(value)
        elif hasattr(value, "__dict__") and vars(value):
            owner, name = value, dice.choice(list(vars(value)))
            value = getattr(owner, name)
        else:
            break
    if owner is None:
        return
    if isinstance(value, np.ndarray) and value.dtype == np.uint8:
        spoilt = mutate_any(value.tobytes(), dice)
        setattr(owner, name, np.frombuffer(spoilt, np.uint8))
    elif isinstance(value, (np.ndarray, list)) and len(value):
        values = [v.item() if hasattr(v, "item") else v for v in value]
        if dice.random() < 0.2:
            values = values[:-1] if dice.random() < 0.5 else values + values[-1:]
        else:
            values[dice.randrange(len(values))] = _strange(values[0], dice)
        setattr(owner, name, values)
    elif isinstance(value, bytes):
        setattr(owner, name, mutate_any(value, dice))
    elif value is not None:
        setattr(owner, name, _strange(value, dice))
