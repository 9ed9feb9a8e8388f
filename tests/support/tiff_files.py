"""TIFFs of any layout, uncompressed, from the specification (TIFF 6.0)."""

import struct

import numpy as np

MIN_IS_WHITE, MIN_IS_BLACK, RGB, LAB = 0, 1, 2, 8


def tiff(samples, photometric, separate=False, bits=None, order="<", extra=()):
    """A file of one strip a plane.

    Args:
        samples: (H, W, C) uint8 or uint16.
        photometric: number of the specification.
        separate: each channel in a plane of its own.
        bits: of a sample, where they are fewer than those of the array: 12, packed.
        order: of bytes, "<" or ">".
        extra: kinds of the channels beyond the colours.
    """
    height, width, channels = samples.shape
    planes = [samples[..., channel] for channel in range(channels)] if separate else [samples]
    strips = [
        _packed(plane.reshape(height, -1), bits) if bits else plane.astype(plane.dtype.newbyteorder(order)).tobytes() for plane in planes
    ]
    depth = bits or 8 * samples.itemsize
    places = np.cumsum([8, *map(len, strips)])
    tags = [
        (256, "I", [width]),
        (257, "I", [height]),
        (258, "H", [depth] * channels),
        (259, "H", [1]),
        (262, "H", [photometric]),
        (273, "I", places[:-1].tolist()),
        (277, "H", [channels]),
        (278, "I", [height]),
        (279, "I", [len(strip) for strip in strips]),
        (284, "H", [2 if separate else 1]),
        *([(338, "H", list(extra))] if extra else []),
    ]
    start, table, more = int(places[-1]), b"", b""
    room = start + 2 + 12 * len(tags) + 4
    for tag, kind, values in tags:
        body = struct.pack(f"{order}{len(values)}{kind}", *values)
        if len(body) > 4:
            place, more = struct.pack(f"{order}I", room + len(more)), more + body + bytes(len(body) % 2)
        else:
            place = body.ljust(4, b"\0")
        table += struct.pack(f"{order}HHI", tag, {"H": 3, "I": 4}[kind], len(values)) + place
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(f"{order}I", start)
    return head + b"".join(strips) + struct.pack(f"{order}H", len(tags)) + table + bytes(4) + more


def _packed(rows, bits):
    """Rows of samples as a row of bits each, filled up to whole bytes."""
    digits = (rows[..., None].astype(np.uint32) >> np.arange(bits - 1, -1, -1)) & 1
    return np.packbits(digits.reshape(len(rows), -1).astype(np.uint8), axis=1).tobytes()
