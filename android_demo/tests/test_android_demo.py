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
from PIL import Image, ImageOps

DEMO = Path(__file__).resolve().parent.parent
POM = {"m": "http://maven.apache.org/POM/4.0.0"}
ANDROID = "{http://schemas.android.com/apk/res/android}"
STRINGS = DEMO / "app/src/main/res/values/strings.xml"
SHARED_NAMES = ("kotlin", "coroutines", "junit", "work", "tflite", "tflite-gpu-api", "min-sdk", "target-sdk", "version-code", "version-name")


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
    assert modules == ["core", "library", "downloads", "app"]
    maven = [entry.text for entry in ElementTree.parse(DEMO / "pom.xml").getroot().findall("m:modules/m:module", POM)]
    assert set(modules) <= set(maven)
    assert set(maven) - set(modules) == {"litert-jvm"}, "only the stand-in for tests is unknown to Gradle"
    for module in ("app", "library"):
        flavours = re.findall(r'create\("(litert|classic|\w*runtime)"\) \{', (DEMO / module / "build.gradle.kts").read_text())
        assert flavours == ["litert", "classic"]
    assert {path.name for path in (DEMO / "library/src").iterdir() if path.is_dir()} == {"main", "androidTest", *flavours}
    assert {path.name for path in (DEMO / "app/src").iterdir() if path.is_dir()} == {"main", "test"}


def test_sources_compiled_here_are_gradles_source_sets():
    assert "<source>src/litert/kotlin</source>" in (DEMO / "library/pom.xml").read_text()
    apk = (DEMO / "apk/pom.xml").read_text()
    for folder in ("../app/src/main/kotlin", "../library/src/main/kotlin", "../library/src/classic/kotlin", "../core/src/main/kotlin"):
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
    for path in [*(DEMO / "app/src/main").rglob("*.kt"), *(DEMO / "library/src").rglob("*.kt")]:
        if "androidTest" not in path.parts:
            assert "import androidx" not in path.read_text(), path


def test_only_one_file_of_each_flavour_knows_its_runtime():
    users = [path for path in (DEMO / "library/src").rglob("*.kt") if re.search(r"com\.google\.ai|org\.tensorflow", path.read_text())]
    names = sorted(path.relative_to(DEMO / "library/src").parts[0] for path in users)
    assert names == ["classic", "litert"]


def test_all_text_is_in_resources():
    for path in (DEMO / "app/src/main/res").rglob("*.xml"):
        literal = re.search(r'android:(text|contentDescription|label|hint|title)="(?!@)', path.read_text())
        assert not literal, f"{path}: {literal and literal[0]}"
    used = "\n".join(path.read_text() for path in (DEMO / "app/src").rglob("*") if path.suffix in (".kt", ".xml"))
    for entry in ElementTree.parse(STRINGS).getroot():
        name = entry.get("name")
        assert re.search(rf"R\.(string|plurals)\.{name}\b|@string/{name}\b", used), f"{name} is used nowhere"


def test_the_model_list_is_ours():
    listed = json.loads((DEMO / "library/src/main/assets/models/models.json").read_text())
    assert listed["schema"] == 1
    for card in listed["models"]:
        assert {"name", "file", "sha256", "scale", "tile", "halo", "range", "recipe", "licence", "credit", "golden"} <= set(card), card.get("name")


def catalog() -> dict:
    return tomllib.loads((DEMO / "gradle/libs.versions.toml").read_text())


def test_the_gpu_comes_with_the_runtime():
    """Since LiteRT 2.3.0 the GPU is an artefact of its own: without it every phone would compute on its CPU, and say so politely."""
    build = (DEMO / "library/build.gradle.kts").read_text()
    for name in ("litert", "litert-gpu"):
        library = catalog()["libraries"][name]
        assert library == {"module": f"com.google.ai.edge.litert:{name}", "version": {"ref": "litert"}}
        assert f'"litertImplementation"(libs.{name.replace("-", ".")})' in build
    said = re.search(r'VERSION = "([^"]+)"', (DEMO / "library/src/litert/kotlin/org/mobilesr/LiteRtFactory.kt").read_text())
    assert said and said[1] == catalog()["versions"]["litert"], "part of the key of compiled GPU programs"


def test_what_play_and_gradle_ask_for():
    versions = catalog()["versions"]
    assert int(versions["target-sdk"]) >= 36
    assert "android.useAndroidX=true" in (DEMO / "gradle.properties").read_text(), "LiteRT's library uses androidx"
    scripts = {path: path.read_text() for path in DEMO.glob("*/build.gradle.kts")}
    for path, script in scripts.items():
        assert "jvmToolchain" not in script, f"{path}: no JDK is downloaded, any from 17 on will do"
        assert "kotlin.android" not in script, f"{path}: AGP 9 has Kotlin built in"
    app = scripts[DEMO / "app/build.gradle.kts"]
    release = app[app.index("release {") :]
    assert "isMinifyEnabled = true" in release and "proguard-rules.pro" in release
    for rules in ("app/proguard-rules.pro", "library/consumer-rules.pro"):
        assert (DEMO / rules).is_file()
        assert rules in (DEMO / "tools/build_apk.sh").read_text(), "the same rules shrink the APK that is made here"


def test_any_window_and_the_system_s_way_back():
    """What target 36 enforces on large screens and for the way back: no screen asks for an orientation or size, none catches "back"."""
    manifest = (DEMO / "app/src/main/AndroidManifest.xml").read_text()
    assert not re.search(r"screenOrientation|resizeableActivity|maxAspectRatio|enableOnBackInvokedCallback", manifest)
    for path in (DEMO / "app/src/main").rglob("*.kt"):
        assert not re.search(r"onBackPressed|KEYCODE_BACK|requestedOrientation", path.read_text()), path


def test_gradlew_runs_only_what_it_has_checked():
    properties = (DEMO / "gradle/wrapper/gradle-wrapper.properties").read_text()
    assert re.search(r"^distributionSha256Sum=[0-9a-f]{64}$", properties, re.M)
    script = (DEMO / "gradlew").read_text()
    assert script.index("sha256sum --check") < script.index("unzip -q") < script.index("exec ")
    assert os.access(DEMO / "gradlew", os.X_OK)


def test_numbers_are_in_every_plural():
    """In Russian "one" is 1, 21, 31 too: without its number the sentence would be wrong."""
    for plurals in ElementTree.parse(STRINGS).getroot().iter("plurals"):
        for item in plurals:
            assert "%1$d" in item.text, plurals.get("name")


def test_languages_are_those_of_the_resources():
    resources = DEMO / "app/src/main/res"
    listed = {entry.get(f"{ANDROID}name") for entry in ElementTree.parse(resources / "xml/locales.xml").getroot()}
    translated = {path.parent.name.removeprefix("values-") for path in resources.glob("values-*/strings.xml")}
    assert listed == {"en"} | translated


def test_buttons_of_the_navigation_bar_are_seen_by_day():
    resources = DEMO / "app/src/main/res"
    assert 'windowLightNavigationBar">@bool/light' in (resources / "values-v27/themes.xml").read_text()
    assert [(resources / f"{folder}/bools.xml").read_text().count(">true<") for folder in ("values", "values-night")] == [1, 0]


def test_ten_lines_of_the_readme_are_the_ones_that_were_compiled():
    readme = (DEMO / "README.md").read_text()
    source = (DEMO / "samples/ten-lines/Use.kt").read_text()
    body = source[source.index("suspend fun") :].strip()
    assert body in readme and len(body.splitlines()) <= 10


def test_other_apps_can_live_beside_it():
    manifest = (DEMO / "app/src/main/AndroidManifest.xml").read_text()
    assert 'android:authorities="${applicationId}.results"' in manifest


def test_the_network_is_asked_for_by_the_downloads_alone_and_nothing_here_uses_them():
    asking = [path for path in DEMO.glob("*/src/*/AndroidManifest.xml") if "INTERNET" in path.read_text()]
    assert asking == [DEMO / "downloads/src/main/AndroidManifest.xml"]
    for script in DEMO.glob("*/build.gradle.kts"):
        assert ":downloads" not in script.read_text(), script


def test_the_readme_shows_pictures_of_the_test_run_only():
    shown = re.findall(r"\]\((screenshots/[^)]+)\)|src=\"(screenshots/[^\"]+)\"", (DEMO / "README.md").read_text())
    assert shown
    source = (DEMO / "app/src/test/kotlin/org/mobilesr/app/ScreenshotTest.kt").read_text()
    pictures = [DEMO / (first or second) for first, second in shown]
    for picture in [*pictures, *(DEMO / "screenshots").glob("*.png")]:
        assert picture.is_file(), picture
        state = re.sub(r"^(phone-night|phone-land|phone|tablet-port|tablet|large-text)-", "", picture.stem)
        assert f'-{state}"' in source, f"no test takes {picture.name}"


@pytest.mark.slow
def test_everything_that_can_be_verified_here():
    missing = [tool for tool in ("mvn", "javac", "zipalign", "apksigner", "dexdump") if shutil.which(tool) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: run android_demo/setup.sh")
    result = subprocess.run([DEMO / "check.sh"], env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-5000:]
    assert "all good" in result.stdout


@pytest.mark.slow
def test_the_gpu_library_computes_what_ships_on_opengl_and_no_other_picture(tmp_path):
    if not (DEMO / "apk/target/test-classes").is_dir():
        pytest.skip("run android_demo/check.sh first")
    if not list(Path("/usr/lib").glob("x86_64-linux-gnu/libGLESv2.so.2")):
        pytest.skip("no software OpenGL: run android_demo/setup.sh --gpu")
    shipped = DEMO / "library/src/main/assets/models"
    card = min(json.loads((shipped / "models.json").read_text())["models"], key=lambda card: card["tile"])
    for name in (card["file"], *card["golden"].values()):
        shutil.copyfile(shipped / name, tmp_path / name)
    (tmp_path / "models.json").write_text(json.dumps({"schema": 1, "models": [card]}))
    run = [DEMO / "tools/check_gpu.sh", tmp_path, "opengl"]
    good = subprocess.run(run, capture_output=True, text=True, check=False)
    assert good.returncode == 0, good.stdout + good.stderr
    assert re.search(r"on OPENGL: Passed\(.* operations taken: (\d+) of \1 in 1$", good.stdout, re.M), good.stdout
    ImageOps.invert(Image.open(tmp_path / card["golden"]["output"])).save(tmp_path / card["golden"]["output"])
    wrong = subprocess.run(run, capture_output=True, text=True, check=False)
    assert wrong.returncode == 1 and "Different(" in wrong.stderr, wrong.stdout + wrong.stderr
