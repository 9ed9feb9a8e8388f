"""A page as one HTML text with its style, script and pictures in it, and no way to load anything from elsewhere.

Everything that comes from files (names, cards, messages) is escaped by Jinja2; the content security policy lets only the style
and the script of this package run, by their digests.
"""

import base64
import hashlib
import platform
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from importlib import resources
from importlib.metadata import version
from math import isfinite
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from conversion.model_card import tool_versions

_PACKAGE = "conversion.measuring"


def fill(template: str, styles: Sequence[str], scripts: Sequence[str], filters: Mapping[str, Callable], **values: Any) -> str:
    """The page.

    Args:
        template: file below conversion/measuring; it gets style, script, policy, tools (their versions), made (when) and `values`.
        styles: files of its style, one after the other.
        scripts: the same of its script.
        filters: of the template, besides `number`, `signed` and `uri`.
        values: what the template shows.
    """
    environment = Environment(loader=PackageLoader(_PACKAGE, "."), autoescape=True, undefined=StrictUndefined)
    environment.trim_blocks = environment.lstrip_blocks = True
    environment.filters |= {"number": number, "signed": signed, "uri": data_uri, **filters}
    style, script = (Markup("\n").join(map(_own, files)) for files in (styles, scripts))
    return environment.get_template(template).render(
        **values,
        style=style,
        script=script,
        policy=f"default-src 'none'; img-src data:; style-src {_digest(style)}; script-src {_digest(script)}; base-uri 'none'; "
        "form-action 'none'",
        tools=_versions(),
        made=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )


def number(value: float | None, form: str = ".3f") -> str:
    """A number for a table; a dash where there is none."""
    if value is None or value != value:
        return "–"
    return format(value, form) if isfinite(value) else "∞"


def signed(value: float | None, form: str = ".3f") -> str:
    """The same with its sign, and a real minus; no sign where nothing is left after rounding."""
    text = number(value, "+" + form)
    return text.replace("-", "−") if text.strip("+-0.") else text.lstrip("+-")


def data_uri(data: bytes, kind: str = "image/webp") -> str:
    """Bytes as an address that holds them."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


def _versions() -> dict[str, str]:
    return {
        **tool_versions(),
        **{name: version(name) for name in ("numpy", "pillow", "matplotlib", "jinja2")},
        "python": platform.python_version(),
    }


def _own(name: str) -> Markup:
    """A text of this package, which needs no escaping."""
    return Markup((resources.files(_PACKAGE) / name).read_text(encoding="utf-8"))


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
