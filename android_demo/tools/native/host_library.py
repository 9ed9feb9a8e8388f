"""Make an Android x86-64 library loadable by a desktop JVM: same code, same data.

    python tools/native/host_library.py FOLDER_OF_THE_APK/lib/x86_64 TARGET

Debian's loader refuses Android's library for one reason only: its symbols want version LIBC of libc.so. The tags that say so are
renamed in the copy's list of dynamic tags. Empty libraries stand for Android's names of libc, libm, libdl and liblog, and
`bionic.c` becomes the library to preload.
"""

import struct
import subprocess
import sys
from pathlib import Path

NATIVE = Path(__file__).parent
EMPTY = ("libc.so", "libm.so", "libdl.so", "liblog.so")
PT_DYNAMIC = 2
VERSION_TAGS = {0x6FFFFFF0, 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF}  # VERSYM, VERDEF, VERDEFNUM, VERNEED, VERNEEDNUM
UNKNOWN_TAG = 0x60000F00  # of the range for operating systems: loaders skip what they do not know


def main(source: Path, target: Path) -> None:
    """Write the library, its stand-ins and libbionic.so into `target`."""
    target.mkdir(parents=True, exist_ok=True)
    for library in source.glob("*.so"):
        (target / library.name).write_bytes(without_versions(library.read_bytes()))
    for name in EMPTY:
        compile_library(target / name, "-x", "c", "/dev/null")
    compile_library(target / "libbionic.so", str(NATIVE / "bionic.c"), "-ldl")


def without_versions(elf: bytes) -> bytes:
    """Return a 64-bit little-endian ELF file whose symbol versions nobody finds."""
    data = bytearray(elf)
    (headers,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    for at in range(headers, headers + size * count, size):
        kind, _, offset, _, _, length = struct.unpack_from("<IIQQQQ", data, at)
        if kind != PT_DYNAMIC:
            continue
        for entry in range(offset, offset + length, 16):
            (tag,) = struct.unpack_from("<Q", data, entry)
            if tag in VERSION_TAGS:
                struct.pack_into("<Q", data, entry, UNKNOWN_TAG + (tag & 0xF))
    return bytes(data)


def compile_library(target: Path, *arguments: str) -> None:
    """Compile a shared library."""
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-Wall", "-o", str(target), *arguments], check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
