"""Runs in the child of `conversion.npu.emulator`: a context on Qualcomm's x86 emulation of the Hexagon, through onnxruntime."""

import io
from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import onnxruntime

CONTEXT = "EPContext"
"""The operation of a compiled .onnx."""
STRICT = {"session.disable_cpu_ep_fallback": "1"}
"""Nothing may run on the CPU unseen."""


def opened(model: str, soc: int, arch: int, settings: dict[str, str]) -> "onnxruntime.InferenceSession":
    """A session on the emulation alone.

    Args:
        model: an .onnx.
        soc: Qualcomm's number of it; without it the emulation fails for want of memory, it says.
        arch: of its Hexagon.
        settings: of the session.
    """
    import onnxruntime
    import onnxruntime_qnn

    onnxruntime.register_execution_provider_library("QNN", onnxruntime_qnn.get_library_path())
    devices = [device for device in onnxruntime.get_ep_devices() if device.ep_name == "QNN"][:1]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    for key, value in settings.items():
        options.add_session_config_entry(key, value)
    choice = {"backend_path": onnxruntime_qnn.get_qnn_htp_path(), "soc_model": str(soc), "htp_arch": str(arch)}
    choice["offload_graph_io_quantization"] = "0"  # else the first and the last step of a quantized file are left to the CPU
    options.add_provider_for_devices(devices, choice)
    return onnxruntime.InferenceSession(model, options)


def tensors(model: str, soc: int, arch: int) -> Generator[dict | bytes, bytes, None]:
    """Runs a context: is sent an input tensor as the bytes of a .npy, and yields the output so; first it yields that it is open."""
    session = opened(model, soc, arch, STRICT)
    (image,) = session.get_inputs()
    sent = yield {"open": True}
    while True:
        (result,) = session.run(None, {image.name: read_array(sent)})
        sent = yield array_bytes(result)


def compile_context(model: str, target: str, soc: int, arch: int) -> None:
    """Compiles an .onnx; what the NPU takes stands in the target as contexts, what it leaves as it was."""
    opened(model, soc, arch, {"ep.context_enable": "1", "ep.context_embed_mode": "1", "ep.context_file_path": target})


def array_bytes(array: np.ndarray) -> bytes:
    """An array as the bytes of a .npy."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def read_array(data: bytes) -> np.ndarray:
    """The inverse."""
    return np.load(io.BytesIO(data), allow_pickle=False)
