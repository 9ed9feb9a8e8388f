"""The extra `npu`: where Qualcomm's libraries lie, and whether they are the ones that LiteRT's compiler goes with."""

import importlib.util
import os
import platform
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from keras_models.system.errors import ModelError

PACKAGE, VERSION = "onnxruntime-qnn", "2.6.0"
QAIRT = "2.50.40"
"""Qualcomm's name for what that version of the package holds; LiteRT 2.3.0's plugin was built for 2.50. A phone's own must not be older."""
INSTALL = "`pip install .[npu]` (it brings Qualcomm's libraries, whose own licence whoever installs them accepts)"
LICENCE = f"Qualcomm's QAIRT {QAIRT} libraries compile and emulate here, under Qualcomm's own licence (Qualcomm_LICENSE.pdf in {PACKAGE})"
_PLUGIN = "libLiteRtCompilerPlugin_Qualcomm.so"


@dataclass(frozen=True)
class NpuPackage:
    """What compiling and emulating need.

    Attributes:
        libraries: folder of Qualcomm's libraries.
        litert: folder of ai-edge-litert.
    """

    libraries: Path
    litert: Path

    @property
    def tool(self) -> Path:
        """LiteRT's program that applies a compiler plugin to a .tflite."""
        return self.litert / "tools/apply_plugin_main"

    @property
    def plugin(self) -> Path:
        """Folder of LiteRT's Qualcomm plugin."""
        return self.litert / "vendors/qualcomm/compiler"

    def environment(self, stubs: Path) -> dict[str, str]:
        """The variables of a process that compiles.

        Args:
            stubs: a folder for what the plugin links to and never calls; it is filled here.
        """
        lpai = stubs / "libQnnLpai.so"  # another engine than the NPU; not in the package, any library satisfies the loader
        if not lpai.exists():
            lpai.symlink_to(self.libraries / "libQnnIr.so")
        folders = [self.libraries, stubs, self.litert, self.plugin, os.environ.get("LD_LIBRARY_PATH", "")]
        return {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, map(str, folders)))}


def why_absent() -> str | None:
    """Why nothing can be compiled or emulated here; None if it can."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return f"compiling for NPUs takes a Linux machine of x86-64, this one is {sys.platform}, {platform.machine()}: use another"
    try:
        found = version(PACKAGE)
    except PackageNotFoundError:
        return f"{PACKAGE} is not installed: {INSTALL}"
    if found != VERSION:
        return f"{PACKAGE} {found} is installed, and LiteRT's compiler goes with {VERSION}: {INSTALL}"
    return None


def npu_package() -> NpuPackage:
    """The installed libraries.

    Raises:
        ModelError: they are missing or another version, or this machine is of another kind.
    """
    absent = why_absent()
    if absent:
        raise ModelError(absent)
    package = NpuPackage(_folder("onnxruntime_qnn"), _folder("ai_edge_litert"))
    for file in (package.tool, package.plugin / _PLUGIN, package.libraries / "libQnnHtp.so"):
        if not file.is_file():
            raise ModelError(f"{file}: missing: install ai-edge-litert 2.3.0 and {PACKAGE} {VERSION} again")
    return package


def _folder(module: str) -> Path:
    """Of an installed package, which is not imported."""
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        raise ModelError(f"{module} is damaged: install it again")
    return Path(found.origin).parent
