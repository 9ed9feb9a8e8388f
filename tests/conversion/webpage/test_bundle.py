"""Joining modules: what is understood, and that everything else is refused rather than broken."""

import re
from pathlib import Path

import pytest

from conversion.webpage import build
from conversion.webpage.bundle import joined


def test_modules_come_once_and_before_those_that_use_them():
    modules = {
        "a.js": 'import { b } from "./b.js";\nimport { c } from "./c.js";\n\nexport const a = b + c;\n',
        "b.js": 'import { c } from "./c.js";\n\nexport function b() {\n  return c;\n}\n',
        "c.js": "export class C {}\nexport const c = new C();\n",
    }
    text = joined("a.js", modules.__getitem__)
    assert re.findall(r"^(?:const|function|class) (\w+)", text, re.MULTILINE) == ["C", "c", "b", "a"]
    assert "import" not in text and "export" not in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('import { x as y } from "./b.js";\n', "import"),
        ('import * as b from "./b.js";\n', "import"),
        ('import b from "./b.js";\n', "import"),
        ('import { b } from "elsewhere";\n', "import"),
        ("export default 1;\n", "export"),
        ("export { a };\n", "export"),
        ('import { b } from "./b.js";\nconst b = 1;\n', "a name of"),
        ('import { b } from "./a.js";\n', "imports itself"),
    ],
)
def test_what_is_not_understood_is_refused(text, says):
    modules = {"a.js": text, "b.js": "export const b = 1;\n"}
    with pytest.raises(ValueError, match=says):
        joined("a.js", modules.__getitem__)


def test_scripts_cannot_end_their_element():
    for first in ("page.js", "engine_worker.js", "photo_worker.js"):
        text = joined(first, build._module)
        assert "</script" not in text.lower() and "<!--" not in text


def test_every_module_is_in_the_page():
    folder = Path(build.__file__).parent / "js"
    used = "".join(joined(first, build._module) for first in ("page.js", "engine_worker.js", "photo_worker.js"))
    for path in folder.glob("*.js"):
        assert path.read_text().splitlines()[-1].removeprefix("export ") in used, path.name
