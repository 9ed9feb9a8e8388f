"""An XMP packet made true for an upscaled picture: upright, of its new size, and without what speaks of
other parts of the old file.
"""

import re

_TIFF = "http://ns.adobe.com/tiff/1.0/"
_EXIF = "http://ns.adobe.com/exif/1.0/"
_MOST_PREFIXES = 4
_ANY = r"[\w.-]{1,80}"
# What speaks of pictures, films and text behind the photo in its file: whoever writes a gain map describes it
# anew, the others go.
_OF_OTHER_PARTS = (
    ("http://ns.adobe.com/hdr-gain-map/1.0/", _ANY),
    ("http://ns.apple.com/HDRGainMap/1.0/", _ANY),
    ("http://ns.google.com/photos/1.0/container/", "Directory"),
    ("http://ns.google.com/photos/1.0/camera/", r"(?:MotionPhoto|MicroVideo)\w{0,80}"),
    ("http://ns.adobe.com/xmp/note/", "HasExtendedXMP"),
)


def upright_xmp(packet: bytes, width: int, height: int, turned: bool) -> bytes:
    """The packet with the numbers that upscaling makes false set right.

    Args:
        packet: as a photo holds it.
        width: pixels of the picture now.
        height: pixels of the picture now.
        turned: the photo's orientation has been applied.

    Returns:
        The packet in UTF-8, which every format wants; as it came if it is no text.
    """
    encoding = _encoding(packet)
    try:
        text = packet.decode(encoding)
    except UnicodeDecodeError:
        return packet
    numbers = {(_TIFF, "ImageWidth"): width, (_TIFF, "ImageLength"): height}
    numbers |= {(_EXIF, "PixelXDimension"): width, (_EXIF, "PixelYDimension"): height}
    if turned:
        numbers[_TIFF, "Orientation"] = 1
    for (space, name), value in numbers.items():
        text = _set(text, space, name, value)
    for space, name in _OF_OTHER_PARTS:
        text = _without(text, space, name)
    return text.removeprefix("\ufeff").encode()


def _set(text: str, space: str, name: str, value: int) -> str:
    for prefix in _prefixes(text, space):
        tag = rf"{prefix}:{name}"
        text = re.sub(rf"""(\s{tag}\s*=\s*)(["'])[^"'<]*\2""", rf"\g<1>\g<2>{value}\g<2>", text)
        text = re.sub(rf"(<{tag}(?:\s[^<>]*)?>)[^<]*(</{tag}\s*>)", rf"\g<1>{value}\g<2>", text)
    return text


def _without(text: str, space: str, name: str) -> str:
    """The text without attributes and elements of a name space whose names match."""
    for prefix in _prefixes(text, space):
        text = re.sub(rf"""\s{prefix}:{name}\s*=\s*("[^"<]*"|'[^'<]*')""", "", text)
        text = _without_elements(text, re.compile(rf"<({prefix}:{name})(?:\s[^<>]*)?>"))
    return text


def _without_elements(text: str, opening: re.Pattern[str]) -> str:
    """Cut from each opening tag to its closing one; a tag that is closed nowhere is looked for only once."""
    kept, position, unclosed = [], 0, set()
    for found in opening.finditer(text):
        tag = found[1]
        if found.start() < position or tag in unclosed:
            continue
        end = found.end()
        if not found[0].endswith("/>"):
            end = text.find(f"</{tag}>", end) + len(tag) + 3
            if end < found.end():
                unclosed.add(tag)
                continue
        kept.append(text[position : found.start()])
        position = end
    return "".join(kept) + text[position:]


def _prefixes(text: str, space: str) -> list[str]:
    """The first few names that the packet gives a name space."""
    found = re.findall(rf"""xmlns:([\w.-]{{1,40}})\s*=\s*["']{re.escape(space)}["']""", text)
    return list(dict.fromkeys(found))[:_MOST_PREFIXES]


def _encoding(packet: bytes) -> str:
    """Of a packet, by its first bytes: UTF-8 nearly always, and what the specification allows besides."""
    head = packet[:4]
    if head.startswith((b"\xff\xfe\0\0", b"<\0\0\0")):
        return "utf-32-le"
    if head.startswith((b"\xff\xfe", b"<\0")):
        return "utf-16-le"
    if head.startswith((b"\xfe\xff", b"\0<")):
        return "utf-16-be"
    return "utf-8"
