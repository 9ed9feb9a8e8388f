"""From models to one self-contained page that upscales photos: program, LiteRT.js and networks in one file.

The content security policy lets only the page's own style and script run, and its workers, and forbids every
request to a network.
"""

import base64
import gzip
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from conversion.source import ModelSource
from conversion.webpage import litert_js
from conversion.webpage.bundle import joined
from conversion.webpage.models import WINDOW, PageModel, card_text, page_model
from keras_models.system.atomic_files import atomic_output
from keras_models.system.errors import ModelError, OutputError

Read = Callable[[str], str]
_POLICY = (
    "default-src 'none'; style-src {style}; script-src {script} blob: 'wasm-unsafe-eval'; worker-src blob:; "
    "connect-src data: blob:; "
    "img-src data: blob:; base-uri 'none'; form-action 'none'"
)
_FACTS = ("family", "recipe", "parameters", "source", "licence", "credit")


@dataclass(frozen=True)
class WrittenPage:
    """What was written: the file, its bytes, and its models as lines of text."""

    file: str
    size: int
    models: tuple[str, ...]

    def as_text(self) -> str:
        """One line and one a model."""
        return "\n".join([f"{self.file}: {self.size / 1e6:.2f} MB, open it in a browser", *self.models])


def write_page(
    models: Sequence[str], target: str | Path, packages: str | Path | None = None, window: int = WINDOW
) -> WrittenPage:
    """Writes a page.

    Args:
        models: presets, .keras files, checkpoints, .onnx or .tflite files; the first is chosen at first.
        target: the .html to write.
        packages: folder of LiteRT.js' packages, None for the cache (see `litert_js`).
        window: as for `page_model`.

    Raises:
        MobileSRError: a model cannot be used, LiteRT.js is not there, or the page cannot be written;
            nothing is written then.
    """
    target = Path(target)
    if target.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{target}: the page must end in .html: give -o upscale.html")
    twice = [name for name, count in Counter(ModelSource.of(model).check_there().title for model in models).items() if count > 1]
    if twice:
        raise ModelError(
            f"{twice[0]}: given twice, or two files of this name: a page tells models apart by name"
        )
    with atomic_output(target) as part:
        runtime = litert_js.litert_js(None if packages is None else Path(packages))
        opened = [page_model(model, window) for model in models]
        part.write_text(render(opened, runtime), encoding="utf-8")
        size = part.stat().st_size
    return WrittenPage(str(target), size, tuple(map(_line, opened)))


def render(models: Sequence[PageModel], runtime: litert_js.LiteRtJs, read: Read | None = None) -> str:
    """The page's text.

    Args:
        models: at least one.
        runtime: LiteRT.js.
        read: gives one of the page's own modules by its name, "page.js"; None for those of this package.
    """
    read = read or _module
    environment = Environment(
        loader=PackageLoader("conversion.webpage", "."), autoescape=True, undefined=StrictUndefined
    )
    environment.trim_blocks = environment.lstrip_blocks = True
    style, script = _own("page.css"), joined("page.js", read)
    programs = {
        "engine-worker": f"{runtime.script}\n{joined('engine_worker.js', read)}",
        "photo-worker": joined("photo_worker.js", read),
    }
    parts = {name: text.encode() for name, text in programs.items()} | {"litert": runtime.wasm}
    parts |= {f"model-{index}": model.data for index, model in enumerate(models)}
    return environment.get_template("page.html.j2").render(
        title=_title(models),
        models=[_described(model) for model in models],
        facts=Markup(
            json.dumps([_facts(index, model) for index, model in enumerate(models)]).replace("<", "\\u003c")
        ),
        payload=[(name, Markup(_packed(data))) for name, data in parts.items()],
        version=version("mobile-sr"),
        litert_version=litert_js.VERSION,
        litert_licence=runtime.licence,
        style=Markup(style),
        script=Markup(script),
        policy=_POLICY.format(style=_digest(style), script=_digest(script)),
    )


def _module(name: str) -> str:
    return _own(f"js/{name}")


def _own(name: str) -> str:
    return (resources.files("conversion.webpage") / name).read_text(encoding="utf-8")


def _title(models: Sequence[PageModel]) -> str:
    scales = sorted({model.scale for model in models})
    return f"Photos {' or '.join(map(str, scales))} times larger" if scales[0] > 1 else "Photos, upscaled"


def _described(model: PageModel) -> dict:
    facts = [
        (name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value))
        for name, value in _known(model)
    ]
    height, width = model.window
    about = (
        f"It makes photos {model.scale} times larger on each side, in windows of {height}×{width} pixels, "
        f"each of which sees "
        f"{model.halo} pixels more than it enlarges."
    )
    return {
        "label": model.label,
        "scale": model.scale,
        "about": about,
        "facts": facts,
        "card": card_text(model.card),
    }


def _known(model: PageModel) -> list[tuple[str, object]]:
    facts: list[tuple[str, object]] = [
        (name, model.card[name]) for name in _FACTS if model.card.get(name) is not None
    ]
    return [("file", f"{len(model.data) / 1000:.0f} kB"), *facts]


def _facts(index: int, model: PageModel) -> dict:
    """What the script has to know; `payload.js` describes it."""
    height, width = model.window
    shape = {"height": height, "width": width, "scale": model.scale}
    return {
        "id": f"model-{index}",
        "label": model.label,
        "shape": shape,
        "halo": model.halo,
        "memory": model.memory,
    }


def _line(model: PageModel) -> str:
    height, width = model.window
    tiles = f"windows of {height}x{width} with a halo of {model.halo}"
    return f"{model.label}: x{model.scale}, {tiles}, {len(model.data):,} bytes"


def _packed(data: bytes) -> str:
    return base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()


def _digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
