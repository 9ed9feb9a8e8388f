#!/usr/bin/env bash
# Packs mobilesr-core.jar and mobilesr-android.aar into library/target/aar from what `mvn test` left, and compiles samples/ten-lines
# against them: the archives hold all that an app needs, but for LiteRT's own libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" pom.xml | head -1; }
repository="${M2_REPO:-$HOME/.m2/repository}"
android=$(property android.all.version) kotlin=$(property kotlin.version) coroutines=$(property coroutines.version)
version=$(property version.name) min_sdk=$(property min.sdk)
jar() { echo "$repository/${1//.//}/$2/$3/$2-$3.jar"; }

out=library/target/aar
rm -rf $out && mkdir -p $out/content
(cd core/target/classes && zip -q -r "$OLDPWD/$out/mobilesr-core-$version.jar" . -i '*.class' '*.kotlin_module')
(cd library/target/classes && zip -q -r "$OLDPWD/$out/content/classes.jar" . -i '*.class' '*.kotlin_module')
sed "s|<manifest |<manifest package=\"org.mobilesr\" |; s|^    <application>|    <uses-sdk android:minSdkVersion=\"$min_sdk\" />\n&|" \
  library/src/main/AndroidManifest.xml > $out/content/AndroidManifest.xml
cp library/consumer-rules.pro $out/content/proguard.txt
cp -r library/src/main/assets $out/content/assets
: > $out/content/R.txt # no resources
(cd $out/content && zip -q -0 -r "../mobilesr-android-$version.aar" .)

mkdir -p $out/use
unzip -q -p "$out/mobilesr-android-$version.aar" classes.jar > $out/use/classes.jar
compiler=""
for name in kotlin-compiler-embeddable kotlin-script-runtime kotlin-reflect kotlin-daemon-embeddable; do
  for found in "$repository"/org/jetbrains/kotlin/$name/*/$name-*.jar; do compiler+="$found:"; done
done
for found in "$repository"/org/jetbrains/intellij/deps/*/*/*.jar "$repository"/org/jetbrains/annotations/*/annotations-*.jar; do compiler+="$found:"; done
libraries="$(jar org.jetbrains.kotlin kotlin-stdlib "$kotlin"):$(jar org.jetbrains.kotlinx kotlinx-coroutines-core-jvm "$coroutines")"
java -Xmx1g -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -cp "$compiler$libraries" org.jetbrains.kotlin.cli.jvm.K2JVMCompiler -no-stdlib -no-reflect -jvm-target 17 \
  -cp "$out/use/classes.jar:$out/mobilesr-core-$version.jar:$libraries:$(jar org.robolectric android-all "$android")" \
  -d $out/use samples/ten-lines/Use.kt 2> $out/use.log || { cat $out/use.log >&2; echo "build_aar: the ten lines do not compile" >&2; exit 1; }
echo "build_aar: $out/mobilesr-android-$version.aar, and ten lines that use it"
