"""An 8-bit .tflite for CPUs: what XNNPACK refuses in integers is written as DEQUANTIZE, the operation in float, QUANTIZE.

XNNPACK computes such a triple of one varying input once for each of the 256 values, keeps the table, and the graph is no longer cut
into pieces there. The numbers stay: an operation is rewritten only after TFLite's integer kernel and XNNPACK have been given all
values that it can ever meet, and gave the same (`conversion.tflite.value_tables`). The rest of the file is left as it is.
"""

from dataclasses import dataclass

from conversion.tflite.check import parse_checked
from conversion.tflite.flatbuffer_dedup import packed_once
from conversion.tflite.float_triples import rewrite
from conversion.tflite.left_operations import left_by_xnnpack, opened
from conversion.tflite.names import operation_name
from conversion.tflite.value_tables import proven


@dataclass(frozen=True)
class CpuForm:
    """A rewritten file.

    Attributes:
        data: the .tflite; as it was if nothing was rewritten.
        rewritten: how many operations were.
        left: names of those that XNNPACK still leaves, each as often as it stands in the file.
    """

    data: bytes
    rewritten: int
    left: tuple[str, ...]


def cpu_form(data: bytes, source: str = "model") -> CpuForm:
    """Rewrites a file; inputs, outputs, signatures, metadata and every number that it computes stay.

    Args:
        data: a .tflite.
        source: what an error calls it.

    Raises:
        ModelError: no whole .tflite.
        RuntimeError: LiteRT cannot run it (or a ValueError).
    """
    model = parse_checked(data, source)
    if len(model.subgraphs) != 1:
        return CpuForm(data, 0, ())
    left = left_by_xnnpack(opened(data))
    chosen = proven(model, left)
    operators = model.subgraphs[0].operators
    rest = tuple(operation_name(model.operatorCodes[operators[number].opcodeIndex]) for number in left if number not in chosen)
    if not chosen:
        return CpuForm(data, 0, rest)
    rewrite(model, chosen)
    return CpuForm(packed_once(model, len(data)), len(chosen), rest)
