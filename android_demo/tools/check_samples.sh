#!/usr/bin/env bash
# Type-checks what no test here can run, against the real classes: samples/compose (with its compiler), downloads/src/worker, Gradle scripts.
# After check.sh; fetches 220 MB, Gradle the most of it. The first two run in an app only.
set -euo pipefail
cd "$(dirname "$0")/.."

property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" pom.xml | head -1; }
fail() { echo "check_samples: $*" >&2; exit 1; }
repository="${M2_REPO:-$HOME/.m2/repository}"
kotlin=$(property kotlin.version) compose=$(property compose.version) coroutines=$(property coroutines.version) android=$(property android.all.version)
out="$PWD/target/samples"
rm -rf "$out" && mkdir -p "$out/classes"

have() { # group artifact version type: its classes, as a jar
  local file="$repository/${1//.//}/$2/$3/$2-$3.$4"
  [ -f "$file" ] || mvn -q -B -ntp -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dtransitive=false -Dartifact="$1:$2:$3:$4" > "$out/log" 2>&1 ||
    fail "$1:$2:$3 cannot be had from the package index: the samples stay unchecked, compile and tests are not affected"
  [ "$4" = aar ] || { echo "$file"; return; }
  unzip -q -p "$file" classes.jar > "$out/$2.jar"
  echo "$out/$2.jar"
}

compiler=""
for name in kotlin-compiler-embeddable kotlin-script-runtime kotlin-reflect kotlin-daemon-embeddable; do
  for found in "$repository"/org/jetbrains/kotlin/$name/*/$name-*.jar; do compiler+="$found:"; done
done
for found in "$repository"/org/jetbrains/intellij/deps/*/*/*.jar "$repository"/org/jetbrains/annotations/*/annotations-*.jar; do compiler+="$found:"; done
stdlib=$(have org.jetbrains.kotlin kotlin-stdlib "$kotlin" jar):$(have org.jetbrains.kotlinx kotlinx-coroutines-core-jvm "$coroutines" jar)
common=$stdlib:$(have org.robolectric android-all "$android" jar):core/target/classes:library/target/classes:downloads/target/classes

compile() { # what, classpath, options and files
  local what=$1 classes=$2
  shift 2
  java -Xmx1g -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -cp "$compiler$stdlib" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -jvm-target 17 \
    -cp "$classes:$common" -d "$out/classes" "$@" 2> "$out/$what.log" || { grep -m10 error: "$out/$what.log" >&2; fail "$what does not compile: see $out/$what.log"; }
  echo "check_samples: $what"
}

work=$(have androidx.work work-runtime "$(property work.version)" aar):$(have com.google.guava listenablefuture 1.0 jar):$(have androidx.annotation annotation-jvm 1.9.1 jar)
compile worker "$work" -Xexplicit-api=strict downloads/src/worker/kotlin

ui=$(have androidx.compose.runtime runtime-android "$compose" aar)
for artifact in ui ui-graphics ui-unit ui-text; do ui+=:$(have androidx.compose.ui $artifact-android "$compose" aar); done
for artifact in foundation foundation-layout; do ui+=:$(have androidx.compose.foundation $artifact-android "$compose" aar); done
ui+=:$(have androidx.compose.material3 material3-android "$(property material3.version)" aar)
for artifact in activity activity-compose; do ui+=:$(have androidx.activity $artifact 1.10.1 aar); done
ui+=:$(have androidx.lifecycle lifecycle-common-jvm 2.8.7 jar):$(have androidx.core core 1.13.1 aar):$(have androidx.savedstate savedstate 1.2.1 aar)
ui+=:$(have androidx.lifecycle lifecycle-viewmodel-android 2.8.7 aar)
compile compose "$ui" -Xplugin="$(have org.jetbrains.kotlin kotlin-compose-compiler-plugin-embeddable "$kotlin" jar)" samples/compose/Enlarge.kt

# Gradle's scripts: what a script is given without naming it comes from Gradle's own compiler plugin
python3 tools/check_gradle.py "$out/scripts.kt"
gradle=$(have dev.gradleplugins gradle-api 8.11.1 jar):$(have com.android.tools.build gradle-api 9.5.0 jar):$(have com.android.tools.build gradle-common-api 9.5.0 jar)
compile gradle "$gradle" -Xplugin="$(have org.jetbrains.kotlin kotlin-sam-with-receiver-compiler-plugin-embeddable "$kotlin" jar)" \
  -P plugin:org.jetbrains.kotlin.samWithReceiver:annotation=org.gradle.api.HasImplicitReceiver "$out/scripts.kt"
