"""Type-check the Gradle scripts of the Android modules against Gradle's and AGP's own classes, where neither can run.

    python tools/check_gradle.py TARGET.kt

Writes one Kotlin file for `tools/check_samples.sh` to compile: each script becomes a function of a project, and what Gradle would
generate for it (`android`, `libs`, `api(...)`) stands above as stand-ins with AGP's real types. The blocks `plugins` and `kotlin` are
left out: they are Gradle's plugin resolution and Kotlin's plugin, whose classes are not at hand. AGP's classes are those of 9.5, the
build asks for 9.1.
"""

import re
import sys
import tomllib
from pathlib import Path

DEMO = Path(__file__).resolve().parent.parent
EXTENSIONS = {"app": "ApplicationExtension", "library": "LibraryExtension", "downloads": "LibraryExtension"}
CONFIGURATIONS = ("api", "implementation", "testImplementation", "androidTestImplementation")
HEAD = """@file:Suppress("unused", "UNUSED_PARAMETER")
import com.android.build.api.dsl.*
import org.gradle.api.*
import org.gradle.api.artifacts.dsl.DependencyHandler
import org.gradle.api.publish.PublishingExtension
import org.gradle.api.publish.maven.MavenPublication

private fun <T> given(): T = error("never run")
private inline fun <reified U : Any> PolymorphicDomainObjectContainer<in U>.create(name: String, noinline set: U.() -> Unit): U =
    create(name, U::class.java, set)
private operator fun <T : Any> NamedDomainObjectContainer<T>.invoke(set: NamedDomainObjectContainer<T>.() -> Unit) = set()
private fun DependencyHandler.project(path: String): Any = given()
private operator fun String.invoke(dependency: Any) = Unit
private fun Project.dependencies(set: DependencyHandler.() -> Unit) = dependencies.set()
private fun Project.publishing(set: PublishingExtension.() -> Unit) = Unit
private fun PublishingExtension.publications(set: org.gradle.api.publish.PublicationContainer.() -> Unit) = Unit
private fun Project.afterEvaluate(set: Project.() -> Unit) = Unit
private operator fun <T : Any> NamedDomainObjectCollection<T>.get(name: String): T = getByName(name)
"""


def main(target: Path) -> None:
    """Write all of them."""
    catalog = tomllib.loads((DEMO / "gradle/libs.versions.toml").read_text())
    tree: dict = {}
    for section, prefix in (("versions", ["versions"]), ("libraries", [])):
        for name in catalog[section]:
            node = tree
            for part in [*prefix, *re.split(r"[-_.]", name)]:
                node = node.setdefault(part, {})
    lines = [HEAD, *accessors("Libs", tree), "private val libs = Libs()"]
    lines += [f"private fun DependencyHandler.{name}(dependency: Any) = Unit" for name in CONFIGURATIONS]
    for module, extension in EXTENSIONS.items():
        script = (DEMO / module / "build.gradle.kts").read_text()
        body = without_block(without_block(script, "plugins"), "kotlin")
        lines += [f"private object Of_{module} {{", f"private fun Project.android(set: {extension}.() -> Unit) = Unit"]
        lines += ["fun Project.build() {", body, "}", "}"]
    target.write_text("\n".join(lines))


def accessors(name: str, tree: dict) -> list[str]:
    """Classes with a property for each part of the catalog's names; a leaf has `get()`."""
    below = [line for part, node in tree.items() for line in accessors(f"{name}_{part}", node)]
    fields = " ".join(f"val {part} = {name}_{part}();" for part in tree)
    return [*below, f'private class {name} {{ fun get() = "0"; {fields} }}']


def without_block(script: str, name: str) -> str:
    """The script without its top-level block `name`."""
    return re.sub(rf"^{name} \{{\n(.*\n)*?\}}\n", "", script, flags=re.M)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
