"""What a compiled file says of itself: the plain file's card, for which SoC, by which compiler, of which file."""

import json
from importlib.metadata import version
from pathlib import Path

from conversion.npu.emulator_process import CONTEXT
from conversion.npu.package import QAIRT
from conversion.npu.socs import SOCS, Soc
from conversion.tflite.file import METADATA_NAME, read_tflite
from keras_models.system.digest import sha256_of
from keras_models.system.errors import ModelError
from keras_models.system.json_text import json_object


def compiled_card(plain_card: dict | None, path: Path, soc: Soc, compiler: str) -> dict:
    """The card of what `path` is compiled to; a foreign file's says nothing but that.

    Args:
        plain_card: of the plain file, None if it has none.
        path: the plain file.
        soc: for which.
        compiler: the package that had Qualcomm's library compile it.
    """
    npu = {"soc": soc.name, "sold_as": soc.sold_as, "hexagon": soc.arch, "qairt": QAIRT, "source_sha256": sha256_of(path)}
    return {**(plain_card or {}), "npu": {**npu, "compiler": f"{compiler} {version(compiler)}"}}


def card_of(path: Path) -> dict | None:
    """The card inside a .tflite or an .onnx; None if there is none."""
    if path.suffix.lower() != ".onnx":
        return read_tflite(path).card
    import onnx

    entries = {entry.key: entry.value for entry in onnx.load(path, load_external_data=False).metadata_props}
    return json_object(entries.get(METADATA_NAME, "").encode())


def is_compiled(path: Path) -> bool:
    """Whether a .tflite or an .onnx is for an NPU's driver alone.

    Raises:
        ModelError: it cannot be read.
    """
    if path.suffix.lower() != ".onnx":
        return read_tflite(path).compiled
    from conversion.onnx.load import read_onnx

    return any(node.op_type == CONTEXT for node in read_onnx(path).graph.node)


def with_card(path: Path, card: dict) -> None:
    """Puts a card into an .onnx."""
    import onnx

    proto = onnx.load(path)
    onnx.helper.set_model_props(proto, {METADATA_NAME: json.dumps(card, sort_keys=True)})
    onnx.save(proto, path)


def soc_of(compiled: Path, plain: Path) -> Soc:
    """For which SoC a compiled file is, if it was made of `plain` and by the compiler that stands here.

    Raises:
        ModelError: it was not, or its card does not say.
    """
    npu = (card_of(compiled) or {}).get("npu")
    npu = npu if isinstance(npu, dict) else {}
    soc = SOCS.get(str(npu.get("soc")))
    if soc is None:
        raise ModelError(f"{compiled}: its card names no SoC of {', '.join(SOCS)}: compile the plain file again")
    if npu.get("qairt") != QAIRT:
        raise ModelError(f"{compiled}: compiled by QAIRT {npu.get('qairt')}, and here is {QAIRT}: compile the plain file again")
    if npu.get("source_sha256") != sha256_of(plain):
        raise ModelError(f"{compiled}: not made of {plain}: give the plain file that lies beside it as `against`")
    return soc
