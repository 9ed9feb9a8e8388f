"""Drives what can be verified of the Android app here, and keeps the Gradle build equal to the one that was verified.

Quick tests read files only; the one marked `slow` runs check.sh (JDK 17 and Maven, see setup.sh) and looks at what it left.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parent.parent
POM = {"m": "http://maven.apache.org/POM/4.0.0"}
ANDROID = "{http://schemas.android.com/apk/res/android}"
SHARED_NAMES = ("kotlin", "junit", "tflite", "tflite-gpu-api", "min-sdk", "target-sdk", "version-code", "version-name")


def pom_properties() -> dict[str, str]:
    root = ElementTree.parse(DEMO / "pom.xml").getroot()
    return {entry.tag.split("}")[1]: entry.text for entry in root.find("m:properties", POM)}


def test_gradle_and_maven_agree_on_versions():
    gradle = tomllib.loads((DEMO / "gradle/libs.versions.toml").read_text())["versions"]
    maven = pom_properties()
    for name in SHARED_NAMES:
        dotted = name.replace("-", ".")
        assert gradle[name] == maven.get(f"{dotted}.version", maven.get(dotted)), name


def test_gradle_knows_the_modules_and_flavours_that_were_built():
    settings = (DEMO / "settings.gradle.kts").read_text()
    modules = re.findall(r'":([\w-]+)"', settings)
    assert modules == ["core", "app"]
    maven = [entry.text for entry in ElementTree.parse(DEMO / "pom.xml").getroot().findall("m:modules/m:module", POM)]
    assert set(modules) <= set(maven)
    assert set(maven) - set(modules) == {"litert-jvm"}, "only the stand-in for tests is unknown to Gradle"
    flavours = re.findall(r'create\("(\w+)"\) \{', (DEMO / "app/build.gradle.kts").read_text())
    assert flavours == ["litert", "classic"]
    assert {path.name for path in (DEMO / "app/src").iterdir() if path.is_dir()} == {"main", "test", *flavours}


def test_sources_compiled_here_are_gradles_source_sets():
    app = (DEMO / "app/pom.xml").read_text()
    assert "<source>src/litert/kotlin</source>" in app
    apk = (DEMO / "apk/pom.xml").read_text()
    for folder in ("../app/src/main/kotlin", "../app/src/classic/kotlin", "../core/src/main/kotlin"):
        assert folder in apk
        assert (DEMO / "apk" / folder).is_dir()


def test_namespace_is_the_package_of_the_build_without_gradle():
    gradle = (DEMO / "app/build.gradle.kts").read_text()
    assert 'namespace = "org.mobilesr.app"' in gradle
    assert 'package=&quot;org.mobilesr.app&quot;' in (DEMO / "app/pom.xml").read_text()
    manifest = ElementTree.parse(DEMO / "app/src/main/AndroidManifest.xml").getroot()
    assert "package" not in manifest.attrib
    assert manifest.find("uses-sdk") is None


def test_every_component_of_the_manifest_is_a_class():
    manifest = ElementTree.parse(DEMO / "app/src/main/AndroidManifest.xml").getroot()
    names = [manifest.find("application").get(f"{ANDROID}name")]
    names += [entry.get(f"{ANDROID}name") for kind in ("activity", "service", "provider") for entry in manifest.iter(kind)]
    for name in names:
        assert (DEMO / f"app/src/main/kotlin/org/mobilesr/app/{name.removeprefix('.')}.kt").is_file(), name


def test_the_core_knows_no_android_and_the_app_no_androidx():
    for path in (DEMO / "core").rglob("*.kt"):
        assert not re.search(r"^import (android|androidx|com\.google)", path.read_text(), re.M), path
    for path in (DEMO / "app/src").rglob("*.kt"):
        if "src/test" not in path.as_posix():
            assert "import androidx" not in path.read_text(), path


def test_only_one_file_of_each_flavour_knows_its_runtime():
    users = [path for path in (DEMO / "app/src").rglob("*.kt") if re.search(r"com\.google\.ai|org\.tensorflow", path.read_text())]
    names = sorted(path.relative_to(DEMO / "app/src").parts[0] for path in users if "test" not in path.parts)
    assert names == ["classic", "litert"]


def test_all_text_is_in_resources():
    for path in (DEMO / "app/src/main/res").rglob("*.xml"):
        literal = re.search(r'android:(text|contentDescription|label|hint|title)="(?!@)', path.read_text())
        assert not literal, f"{path}: {literal and literal[0]}"
    used = "\n".join(path.read_text() for path in (DEMO / "app/src").rglob("*") if path.suffix in (".kt", ".xml"))
    for entry in ElementTree.parse(DEMO / "app/src/main/res/values/strings.xml").getroot():
        name = entry.get("name")
        assert re.search(rf"R\.(string|plurals)\.{name}\b|@string/{name}\b", used), f"{name} is used nowhere"


def test_the_model_list_is_ours():
    listed = json.loads((DEMO / "app/src/main/assets/models/models.json").read_text())
    assert listed["schema"] == 1
    for card in listed["models"]:
        assert {"name", "file", "sha256", "scale", "tile", "halo", "range", "recipe", "licence", "credit", "golden"} <= set(card), card.get("name")


def test_the_readme_shows_pictures_of_the_test_run_only():
    shown = re.findall(r"\]\((screenshots/[^)]+)\)|src=\"(screenshots/[^\"]+)\"", (DEMO / "README.md").read_text())
    assert shown
    source = (DEMO / "app/src/test/kotlin/org/mobilesr/app/ScreenshotTest.kt").read_text()
    for first, second in shown:
        picture = DEMO / (first or second)
        assert picture.is_file(), picture
        state = re.sub(r"^(phone-night|phone|tablet|large-text)-", "", picture.stem)
        assert f'-{state}"' in source, f"no test takes {picture.name}"


@pytest.mark.slow
def test_everything_that_can_be_verified_here():
    missing = [tool for tool in ("mvn", "javac", "zipalign", "apksigner", "dexdump") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: run android_demo/setup.sh")
    result = subprocess.run([DEMO / "check.sh"], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    assert "all good" in result.stdout
