"""HEIC and AVIF files with more properties than encoders write, from the specification (ISO/IEC 14496-12 and 23008-12)."""

import struct


def turned_by(quarters):
    """An `irot` box: so many quarters of a turn against the clock."""
    return struct.pack(">I4sB", 9, b"irot", quarters)


def mirrored(axis):
    """An `imir` box: 0 exchanges top and bottom, 1 left and right."""
    return struct.pack(">I4sB", 9, b"imir", axis)


def cut_to(width, height, right=0, down=0):
    """A `clap` box: what is left of the picture, its centre moved by half pixels."""
    return struct.pack(">I4s8i", 40, b"clap", width, 1, height, 1, right, 2, down, 2)


def with_properties(data, *properties):
    """The file with boxes added to the properties of its primary picture, in this order."""
    meta = _boxes(data, 0, len(data))[b"meta"]
    inside = _boxes(data, meta[0] + 12, sum(meta))
    iprp, (pitm, _) = inside[b"iprp"], inside[b"pitm"]
    parts = _boxes(data, iprp[0] + 8, sum(iprp))
    ipco, ipma = parts[b"ipco"], parts[b"ipma"]
    primary = data[pitm + 12 : pitm + 14]
    first = 1 + _count(data, ipco[0] + 8, sum(ipco))
    added, told = b"".join(properties), bytearray(data[ipma[0] : sum(ipma)])
    assert not told[8] and not told[11] & 1, "items of 16 bits, associations of 8"
    place = 16
    while told[place : place + 2] != primary:
        place += 3 + told[place + 2]
    end = place + 3 + told[place + 2]
    told[place + 2] += len(properties)
    told[end:end] = bytes(0x80 | (first + number) for number in range(len(properties)))
    told[:4] = struct.pack(">I", len(told))
    grown = len(added) + len(properties)
    out = bytearray(data)
    for start, more in ((meta[0], grown), (iprp[0], grown), (ipco[0], len(added))):
        out[start : start + 4] = struct.pack(">I", struct.unpack_from(">I", data, start)[0] + more)
    _move_places(out, *inside[b"iloc"], ipma[0], grown)
    return bytes(out[: sum(ipco)]) + added + bytes(out[sum(ipco) : ipma[0]]) + bytes(told) + bytes(out[sum(ipma) :])


def _boxes(data, start, end):
    """Type -> (start, length) of the first box of each kind."""
    found = {}
    while start + 8 <= end:
        length, kind = struct.unpack_from(">I4s", data, start)
        found.setdefault(kind, (start, length))
        start += length
    return found


def _count(data, start, end):
    number = 0
    while start + 8 <= end:
        start, number = start + struct.unpack_from(">I", data, start)[0], number + 1
    return number


def _move_places(data, start, length, behind, by):
    """Adds to every place in an `iloc` box that lies behind another; items of 16 bits, places of 32 bits from 0 or from a base."""
    version, sizes = data[start + 8], data[start + 12 : start + 14]
    assert version < 2 and sizes[0] == 0x44 and sizes[1] & 15 == 0, "places and lengths of 32 bits, no index"
    base = sizes[1] >> 4
    assert base in (0, 4)
    place = start + 16
    for _ in range(struct.unpack_from(">H", data, start + 14)[0]):
        method = struct.unpack_from(">H", data, place + 2)[0] & 15 if version else 0
        place += 6 if version else 4
        bases = range(place, place + base, 4)
        (count,) = struct.unpack_from(">H", data, place + base)
        place += base + 2
        for at in (*bases, *range(place, place + 8 * count, 8)):
            (where,) = struct.unpack_from(">I", data, at)
            if method == 0 and where > behind:
                struct.pack_into(">I", data, at, where + by)
        place += 8 * count
