"""Tells of a gain map by XMP too, as Android 14 reads it: libultrahdr writes it by ISO 21496-1 alone.

The photo's packet says that it is Ultra HDR and how long the second picture is, the second picture's packet holds the numbers.
"""

import math
from typing import Any

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_HDRGM = "http://ns.adobe.com/hdr-gain-map/1.0/"
_CONTAINER = "http://ns.google.com/photos/1.0/container/"
_END = b"</rdf:RDF>"
_LOGARITHMS = {"GainMapMin": "min-content-boost", "GainMapMax": "max-content-boost"}
_PLAIN = {"Gamma": "gamma", "OffsetSDR": "offset-sdr", "OffsetHDR": "offset-hdr"}
_CAPACITIES = {"HDRCapacityMin": "hdr-capacity-min", "HDRCapacityMax": "hdr-capacity-max"}


def packet_of_map(fields: dict[str, Any]) -> bytes | None:
    """The packet of the second picture.

    Args:
        fields: libvips' names -> values, of a gain map.

    Returns:
        The packet; None where XMP cannot say what the fields say.
    """
    try:
        if not fields["gainmap-use-base-cg"]:  # XMP means the photo's own colours always
            return None
        numbers = {
            name: [math.log2(v) for v in fields[f"gainmap-{key}"]] for name, key in _LOGARITHMS.items()
        }
        numbers |= {name: list(fields[f"gainmap-{key}"]) for name, key in _PLAIN.items()}
        capacities = {name: math.log2(fields[f"gainmap-{key}"]) for name, key in _CAPACITIES.items()}
    except (KeyError, ValueError, TypeError):
        return None
    attributes = {name: f"{value:.9g}" for name, value in capacities.items()} | {
        "BaseRenditionIsHDR": "False"
    }
    attributes |= {name: f"{values[0]:.9g}" for name, values in numbers.items() if len(set(values)) == 1}
    elements = "".join(
        f"<hdrgm:{name}><rdf:Seq>{''.join(f'<rdf:li>{v:.9g}</rdf:li>' for v in values)}</rdf:Seq></hdrgm:{name}>"
        for name, values in numbers.items()
        if name not in attributes
    )
    given = "".join(f' hdrgm:{name}="{value}"' for name, value in attributes.items())
    return _packet(f' xmlns:hdrgm="{_HDRGM}" hdrgm:Version="1.0"{given}', elements)


def packet_of_photo(packet: bytes | None, map_bytes: int) -> bytes | None:
    """The photo's packet with the words about its gain map, which has no others (`upright_xmp`).

    Args:
        packet: the photo's own, UTF-8, or None.
        map_bytes: length of the second picture.

    Returns:
        The packet; None where the photo's own has no place for them.
    """
    items = "".join(
        f'<rdf:li rdf:parseType="Resource"><Container:Item Item:Semantic="{what}" Item:Mime="image/jpeg"{length}/></rdf:li>'
        for what, length in (("Primary", ""), ("GainMap", f' Item:Length="{map_bytes}"'))
    )
    spaces = f' xmlns:hdrgm="{_HDRGM}" xmlns:Container="{_CONTAINER}" xmlns:Item="{_CONTAINER}item/" hdrgm:Version="1.0"'
    words = _packet(spaces, f"<Container:Directory><rdf:Seq>{items}</rdf:Seq></Container:Directory>")
    if packet is None:
        return words
    if packet.count(_END) != 1 or f'xmlns:rdf="{_RDF}"'.encode() not in packet:
        return None
    description = words[words.index(b"<rdf:Description") : words.index(_END)]
    return packet.replace(_END, description + _END)


def _packet(attributes: str, elements: str) -> bytes:
    return (
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}">'
        f'<rdf:Description rdf:about=""{attributes}>{elements}</rdf:Description></rdf:RDF></x:xmpmeta>'
    ).encode()
