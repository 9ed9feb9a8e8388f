"""Which Vulkan devices there are for LiteRT's GPU engine: this machine's own, or software ones that scripts/gpu_packages.sh unpacked.

A device is a set of environment variables for the process that uses it; this process and the system stay as they are.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from keras_models.system.atomic_files import cache_folder

_SYSTEM_FOLDERS = ("/etc/vulkan/icd.d", "/usr/local/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d", "/usr/share/vulkan/icd.d")
_SOFTWARE = ("swiftshader", "lavapipe")  # float32 only; float32 and true float16


@dataclass(frozen=True)
class VulkanDevice:
    """What a process needs to find one Vulkan driver.

    Attributes:
        name: "system", "swiftshader" or "lavapipe".
        environment: variable -> value, to be set before that process starts.
    """

    name: str
    environment: dict[str, str]


def package_folder() -> Path:
    """Where scripts/gpu_packages.sh unpacks the software devices."""
    return cache_folder() / "vulkan"


def system_device() -> VulkanDevice | None:
    """The machine's own drivers, without Mesa's software one; None if there are none. Only using them tells whether a GPU is behind."""
    chosen = os.environ.get("VK_DRIVER_FILES") or os.environ.get("VK_ICD_FILENAMES")
    if chosen:
        return VulkanDevice("system", _drivers(chosen))
    folders = [Path(folder) for folder in (*_SYSTEM_FOLDERS, Path.home() / ".local/share/vulkan/icd.d")]
    drivers = sorted(str(f) for folder in folders if folder.is_dir() for f in folder.glob("*.json") if not f.name.startswith("lvp_"))
    return VulkanDevice("system", _drivers(os.pathsep.join(drivers))) if drivers else None


def software_devices() -> tuple[VulkanDevice, ...]:
    """The unpacked software devices, none if the script has not been run."""
    folder = package_folder()
    return tuple(_software(folder, name) for name in _SOFTWARE if (folder / name / "icd.json").is_file())


def _software(folder: Path, name: str) -> VulkanDevice:
    libraries = [str(folder / name), os.environ.get("LD_LIBRARY_PATH", "")]
    shaders = {"MESA_SHADER_CACHE_DIR": str(folder / "shaders")}  # lavapipe compiles for seconds; the second process need not
    return VulkanDevice(
        name, _drivers(str(folder / name / "icd.json")) | {"LD_LIBRARY_PATH": os.pathsep.join(filter(None, libraries))} | shaders
    )


def _drivers(files: str) -> dict[str, str]:
    """Both names of the Vulkan loader's variable, so that none of the user's is left beside it."""
    return {"VK_DRIVER_FILES": files, "VK_ICD_FILENAMES": files}
