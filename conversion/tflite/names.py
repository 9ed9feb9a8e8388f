"""TFLite's words for what a parsed model holds as numbers and bytes: operations, types of tensors, texts."""

import functools
from typing import Any

from keras_models.system.errors import printable


def operation_name(code: Any) -> str:
    """The operation of a `ModelT`'s operator code: "CONV_2D", "CUSTOM:name", or "UNKNOWN:number" of a newer schema."""
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    return f"CUSTOM:{text_of(code.customCode)}" if code.customCode else _words("BuiltinOperator").get(number, f"UNKNOWN:{number}")


def type_name(number: int) -> str:
    """The type of a tensor, in lower case: "float32"."""
    return _words("TensorType")[number].lower()


def text_of(value: bytes | str | None) -> str:
    """A name as the object API gives it (bytes, text or nothing), as text without what would steer a terminal."""
    return printable(value.decode(errors="replace") if isinstance(value, bytes) else value or "")


@functools.cache
def _words(kind: str) -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {value: name for name, value in vars(getattr(schema, kind)).items() if isinstance(value, int)}
