"""Plain ES modules become one script: each module once, after those that it imports.

Only the forms that `js/` uses are understood: `import { a, b } from "./other.js";` and `export` before a
declaration; both words are taken out. All modules then share one scope, so their top-level names must differ;
two that are equal are refused here.
"""

import re
from collections.abc import Callable

_IMPORT = re.compile(r'^import \{ \w+(?:, \w+)* \} from "\./([a-z_]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:const|let|function|class)\b)", re.MULTILINE)
_NAME = re.compile(r"^(?:async )?(?:const|let|function|class) (\w+)", re.MULTILINE)


def joined(first: str, read: Callable[[str], str]) -> str:
    """The script of a module and of all that it imports.

    Args:
        first: name of the module, "page.js".
        read: gives a module's text by its name.

    Raises:
        ValueError: a form of import or export that is not understood, modules that import each other, or
            two equal names.
    """
    texts: dict[str, str] = {}
    _add(first, read, texts, ())
    owners: dict[str, str] = {}
    for module, text in texts.items():
        for name in _NAME.findall(text):
            if owners.setdefault(name, module) != module:
                raise ValueError(
                    f"{module}: {name} is a name of {owners[name]} too: modules share one scope when joined"
                )
    return "\n".join(texts.values())


def _add(module: str, read: Callable[[str], str], texts: dict[str, str], importers: tuple[str, ...]) -> None:
    if module in importers:
        raise ValueError(
            f"{module}: imports itself by way of {' and '.join(importers[importers.index(module) + 1 :])}"
        )
    if module in texts:
        return
    text = read(module)
    for other in _IMPORT.findall(text):
        _add(other, read, texts, (*importers, module))
    text = _EXPORT.sub("", _IMPORT.sub("", text))
    left = re.search(r"^(?:import|export)\b.*$", text, re.MULTILINE)
    if left:
        raise ValueError(
            f"{module}: {left[0]}: only named imports of modules beside it and exported declarations will do"
        )
    texts[module] = text
