#!/usr/bin/env bash
# Assembles and signs apk/target/mobile-sr-classic-preview.apk (shrunk, signed with a throw-away key) from what `mvn test` left in app/target.
# Compile and tests do not need this: it depends on artefacts (R8, TensorFlow Lite) that may leave the package index.
set -euo pipefail
cd "$(dirname "$0")/.."

property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" pom.xml | head -1; }
fail() { echo "build_apk: $*" >&2; exit 1; }

repository="${M2_REPO:-$HOME/.m2/repository}"
tflite=$(property tflite.version) gpu_api=$(property tflite.gpu.api.version) r8=$(property r8.version)
android=$(property android.all.version) kotlin=$(property kotlin.version) coroutines=$(property coroutines.version) min_sdk=$(property min.sdk)
jar() { echo "$repository/${1//.//}/$2/$3/$2-$3.$4"; }

fetch() { # group artifact version type
  [ -f "$(jar "$@")" ] && return
  mvn -q -B -ntp -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:3.6.1:get -Dtransitive=false -Dartifact="$1:$2:$3:$4" ||
    fail "$1:$2:$3 cannot be had from the package index any more; the APK cannot be assembled here, compile and tests are not affected"
}

for tool in zip unzip zipalign apksigner keytool cc python3; do
  command -v "$tool" > /dev/null || fail "$tool is missing: run setup.sh"
done
[ -f app/target/app.apk ] || fail "app/target/app.apk is missing: run check.sh, or mvn test first"

out=apk/target
rm -rf $out && mkdir -p $out/lib $out/dex $out/native
fetch com.android.tools r8 "$r8" jar
for artifact in tensorflow-lite:$tflite tensorflow-lite-api:$tflite tensorflow-lite-gpu:$tflite tensorflow-lite-gpu-api:$gpu_api; do
  name=${artifact%:*} version=${artifact#*:}
  fetch org.tensorflow "$name" "$version" aar
  unzip -q -p "$(jar org.tensorflow "$name" "$version" aar)" classes.jar > "$out/lib/$name.jar"
  unzip -q -o "$(jar org.tensorflow "$name" "$version" aar)" 'jni/arm64-v8a/*' 'jni/x86_64/*' -d $out/native 2> /dev/null || true # the API parts have none
done

echo "build_apk: compiling"
mvn -q -B -ntp -Dstyle.color=never -f apk/pom.xml test-compile

echo "build_apk: golden tiles on the APK's own library"
python3 tools/native/host_library.py $out/native/jni/x86_64 $out/host
junit=$(ls "$repository"/junit/junit/4.13.2/*.jar):$(ls "$repository"/org/hamcrest/hamcrest-core/1.3/*.jar)
stdlib=$(jar org.jetbrains.kotlin kotlin-stdlib "$kotlin" jar)
classes=$out/test-classes:$out/classes:$(ls $out/lib/*.jar | tr '\n' ':')$stdlib:$(jar org.robolectric android-all "$android" jar)
LD_LIBRARY_PATH=$PWD/$out/host LD_PRELOAD=$PWD/$out/host/libbionic.so java -Djava.library.path=$out/host -Dmodels=library/src/main/assets/models \
  -cp "$classes:$junit" org.junit.runner.JUnitCore org.mobilesr.GoldenTileTest > $out/golden.log 2>&1 ||
  { tail -30 $out/golden.log >&2; fail "the APK's library does not compute the golden tiles"; }
grep 'largest difference' $out/golden.log

echo "build_apk: shrinking"
(cd $out/classes && zip -q -r ../classes.jar . -x 'META-INF/*')
home="${JAVA_HOME:-$(dirname "$(dirname "$(readlink -f "$(command -v javac)")")")}"
annotations=$(ls "$repository"/org/jetbrains/annotations/*/annotations-*.jar | head -1)
java -Xmx3g -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m -XX:+UseSerialGC -cp "$(jar com.android.tools r8 "$r8" jar)" com.android.tools.r8.R8 --release --min-api "$min_sdk" \
  --lib "$(jar org.robolectric android-all "$android" jar)" --lib "$home" \
  --pg-conf app/target/manifest.pro --pg-conf library/consumer-rules.pro --pg-conf app/proguard-rules.pro --output $out/dex \
  $out/classes.jar $out/lib/*.jar "$(jar org.jetbrains.kotlin kotlin-stdlib "$kotlin" jar)" "$(jar org.jetbrains.kotlinx kotlinx-coroutines-core-jvm "$coroutines" jar)" "$annotations" > $out/r8.log 2>&1 ||
  { tail -20 $out/r8.log >&2; fail "R8 failed"; }

echo "build_apk: packing"
cp app/target/app.apk $out/unaligned.apk
zip -q -j $out/unaligned.apk $out/dex/classes*.dex
mv $out/native/jni $out/apk-lib && mkdir -p $out/pack && mv $out/apk-lib $out/pack/lib
(cd $out/pack && zip -q -0 -D -r ../unaligned.apk lib) # -D: apksigner drops folders, and what follows would lose its alignment
zipalign -f 16384 $out/unaligned.apk $out/aligned.apk
keytool -genkeypair -keystore $out/debug.jks -storepass android -keypass android -alias debug \
  -keyalg RSA -keysize 2048 -validity 10000 -dname CN=debug > /dev/null 2>&1
apksigner sign --ks $out/debug.jks --ks-pass pass:android --min-sdk-version "$min_sdk" --v1-signing-enabled false --out $out/mobile-sr-classic-preview.apk $out/aligned.apk
rm -rf $out/unaligned.apk $out/aligned.apk $out/pack $out/native
echo "build_apk: $out/mobile-sr-classic-preview.apk"
