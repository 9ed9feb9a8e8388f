"""Check the assembled APK: signature, manifest, alignment, code, models.

    python tools/check_apk.py apk/target/mobile-sr-classic-preview.apk     the one of build_apk.sh
    python tools/check_apk.py --pages ANY.apk                              only what Play wants of native libraries

Prints one line for each check and exits with 1 at the first that fails.
"""

import hashlib
import json
import re
import struct
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent
AAPT2 = DEMO / "app" / "target" / "tools" / "prebuilt" / "linux" / "aapt2"
PAGE = 16384
MODELS = "assets/models/"
ACTIVITIES = ("MainActivity", "ModelsActivity", "BenchmarkActivity")
SMALL_PAGES = ("libtensorflowlite_jni.so", "libtensorflowlite_gpu_jni.so")
"""Of the second runtime's last release: linked for pages of 4 KiB, which is why that flavor is no more than a preview."""
FOREIGN = ("com.google.ai.edge.litert", "com.sun.jna", "org.robolectric", "androidx.")


class CheckFailed(Exception):
    """The APK is not as it should be."""


def main(arguments: list[str]) -> int:
    """Run every check on the APK named on the command line; return the exit status."""
    apk = Path(arguments[-1])
    checks = (check_signature, check_manifest, check_alignment, check_dex, check_models, check_libraries)
    if arguments[0] == "--pages":
        checks = (check_pages,)
    try:
        for check in checks:
            print(f"apk: {check.__name__.removeprefix('check_')}: {check(apk)}")
    except CheckFailed as failure:
        print(f"apk: FAILED: {failure}", file=sys.stderr)
        return 1
    print(f"apk: {apk.name}: {apk.stat().st_size / 1e6:.1f} MB, good")
    return 0


def check_signature(apk: Path) -> str:
    """Require signatures of schemes 2 and 3."""
    report = run("apksigner", "verify", "-v", apk)
    for scheme in ("v2", "v3"):
        require(re.search(rf"Verified using {scheme} scheme .*: true", report), f"no {scheme} signature:\n{report}")
    return "v2 and v3 verified"


def check_manifest(apk: Path) -> str:
    """Require the package, the SDK levels of the build and every component."""
    badging = run(AAPT2, "dump", "badging", apk)
    properties = (DEMO / "pom.xml").read_text()
    minimum, target = (re.search(rf"<{name}>(\d+)</{name}>", properties)[1] for name in ("min.sdk", "target.sdk"))
    for words in ("package: name='org.mobilesr.app'", f"minSdkVersion:'{minimum}'", f"targetSdkVersion:'{target}'", "launchable-activity: name='org.mobilesr.app.MainActivity'"):
        require(words in badging, f"no {words} in\n{badging}")
    tree = run(AAPT2, "dump", "xmltree", "--file", "AndroidManifest.xml", apk)
    for component in (*ACTIVITIES, "UpscaleService", "ResultProvider", "MobileSrApp"):
        require(f".{component}\"" in tree, f"no {component} in the manifest")
    require("debuggable" not in tree, "debuggable")
    return f"org.mobilesr.app, SDK {minimum} to {target}, {len(ACTIVITIES)} activities, service, provider"


def check_alignment(apk: Path) -> str:
    """Require every model and library to be stored, at a multiple of 16 KiB, so that they can be mapped."""
    run("zipalign", "-c", str(PAGE), apk)
    count = 0
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as raw:
        for entry in archive.infolist():
            if not entry.filename.endswith((".so", ".tflite")):
                continue
            raw.seek(entry.header_offset + 26)
            name_length, extra_length = struct.unpack("<HH", raw.read(4))
            offset = entry.header_offset + 30 + name_length + extra_length
            require(entry.compress_type == zipfile.ZIP_STORED, f"{entry.filename} is compressed")
            require(offset % PAGE == 0, f"{entry.filename} starts at {offset}, no multiple of {PAGE}")
            count += 1
    return f"{count} libraries and models stored at multiples of {PAGE}"


def check_dex(apk: Path) -> str:
    """Require readable code with the app in it and nothing that only tests need."""
    classes: set[str] = set()
    with zipfile.ZipFile(apk) as archive, tempfile.TemporaryDirectory() as folder:
        for name in (entry for entry in archive.namelist() if re.fullmatch(r"classes\d*\.dex", entry)):
            dump = run("dexdump", archive.extract(name, folder))
            classes |= {found.replace("/", ".") for found in re.findall(r"Class descriptor  : 'L([^;]+);'", dump)}
    for name in ACTIVITIES:
        require(f"org.mobilesr.app.{name}" in classes, f"no {name} in the code")
    for name in FOREIGN:
        require(not any(found.startswith(name) for found in classes), f"{name} is in the code")
    return f"{len(classes)} classes"


def check_models(apk: Path) -> str:
    """Require the models to be those of their list."""
    with zipfile.ZipFile(apk) as archive:
        cards = json.loads(archive.read(f"{MODELS}models.json"))["models"]
        for card in cards:
            found = hashlib.sha256(archive.read(MODELS + card["file"])).hexdigest()
            require(found == card["sha256"], f"{card['file']}: sha256 {found}, in the list {card['sha256']}")
        stored = {name for name in archive.namelist() if name.endswith(".tflite")}
    require(stored == {MODELS + card["file"] for card in cards}, f"models {stored} are not those of the list")
    return ", ".join(card["name"] for card in cards) or "none shipped yet"


def check_libraries(apk: Path) -> str:
    """Require the native libraries of the runtime; say how they are aligned in memory."""
    with zipfile.ZipFile(apk) as archive:
        libraries = {name: load_alignment(archive.read(name)) for name in archive.namelist() if name.endswith(".so")}
    for name in SMALL_PAGES:
        require(f"lib/arm64-v8a/{name}" in libraries, f"no {name}")
    require_pages({name: alignment for name, alignment in libraries.items() if Path(name).name not in SMALL_PAGES})
    return ", ".join(f"{name.removeprefix('lib/')} (segments at {alignment // 1024} KiB)" for name, alignment in libraries.items())


def check_pages(apk: Path) -> str:
    """Require every native library to be linked for pages of 16 KiB: others are refused at upload and do not load on new devices."""
    with zipfile.ZipFile(apk) as archive:
        libraries = {name: load_alignment(archive.read(name)) for name in archive.namelist() if name.endswith(".so")}
    require_pages(libraries)
    return f"{len(libraries)} libraries for pages of {PAGE // 1024} KiB"


def require_pages(libraries: dict[str, int]) -> None:
    """Raise `CheckFailed` for the first library whose segments are aligned to less than a page."""
    for name, alignment in libraries.items():
        require(alignment % PAGE == 0, f"{name}: segments at {alignment // 1024} KiB, not {PAGE // 1024}")


def load_alignment(elf: bytes) -> int:
    """Return the alignment of the loaded segments of a 64-bit little-endian ELF file, bytes."""
    offset, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    headers = [struct.unpack_from("<IIQQQQQQ", elf, offset + size * i) for i in range(count)]
    return min(header[7] for header in headers if header[0] == 1)


def require(good: object, problem: str) -> None:
    """Raise `CheckFailed` unless `good`."""
    if not good:
        raise CheckFailed(problem)


def run(*command: object) -> str:
    """Return what a command prints."""
    try:
        return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True, errors="replace").stdout
    except FileNotFoundError:
        raise CheckFailed(f"{command[0]} is missing: run setup.sh") from None
    except subprocess.CalledProcessError as error:
        raise CheckFailed(f"{' '.join(map(str, command))}: {error.stderr or error.stdout}") from None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
