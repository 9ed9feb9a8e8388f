#!/usr/bin/env bash
# Everything that can be verified of the app without an Android SDK, a phone and Google's Maven: see README.md.
#   check.sh                  compile, tests, library, APK
#   check.sh --tests          without the APK
#   check.sh --gpu            and the APK's GPU library on OpenGL and OpenCL in software (setup.sh --gpu; the first time tens of minutes)
#   check.sh --screenshots    write screenshots/ anew instead of comparing (look at them), without the APK
# PYTHON names a Python with the packages of the repository (default: python3).
set -euo pipefail
cd "$(dirname "$0")"

python="${PYTHON:-python3}"
update=false
[ "${1:-}" != --screenshots ] || update=true
step() { echo "check: [$SECONDS s] $*"; }

step "test models"
library=$("$python" -c 'import ai_edge_litert, pathlib; print(pathlib.Path(ai_edge_litert.__file__).parent / "libLiteRt.so")') ||
  { echo "check: $python has no ai-edge-litert: set PYTHON to the repository's environment" >&2; exit 1; }
mkdir -p target
"$python" tools/make_test_models.py 2> target/make_test_models.log || { tail -20 target/make_test_models.log >&2; exit 1; }

step "compile, unit tests, screens"
rm -rf {core,downloads,litert-jvm,library,app}/target/{classes,test-classes,surefire-reports}
mvn -B -ntp -Dstyle.color=never -Dlitert.lib="$library" -Dupdate.screenshots="$update" test > target/maven.log 2>&1 || {
  # each failed test with what it threw, then what Maven says; stack traces stay in the log
  grep -E -A 2 '<<< (ERROR|FAILURE)!' target/maven.log | grep -v '^--$' | head -80 >&2 || true
  grep -E '^\[ERROR\]|VM warning|terminated without' target/maven.log | grep -v -e '<<<' -e '^\[ERROR\][[:space:]]*at ' | head -40 >&2 || true
  echo "check: Maven failed: android_demo/target/maven.log" >&2
  exit 1
}
grep -E '^\[(INFO|WARNING)\] Tests run: [0-9]+, Failures: [0-9]+, Errors: [0-9]+, Skipped: [0-9]+$' target/maven.log

if [ $# -eq 0 ] || [ "$1" = --gpu ]; then
  step "library"
  tools/build_aar.sh
  step "APK"
  tools/build_apk.sh
  "$python" tools/check_apk.py apk/target/mobile-sr-classic-preview.apk
fi
if [ "${1:-}" = --gpu ]; then
  step "GPU library on GPUs made of software"
  tools/check_gpu.sh
fi
step "all good"
