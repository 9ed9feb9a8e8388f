#!/usr/bin/env bash
# Runs the GPU library that is in the APK on a GPU made of software, for every model of models.json; after check.sh, setup.sh --gpu.
#   tools/check_gpu.sh [FOLDER_OF_MODELS.JSON [opengl|opencl]]        default: the models that ship, both
# OpenGL: Mesa's llvmpipe. OpenCL: pocl, which compiles some thousand kernels at the first time (tens of minutes) and keeps them.
# What that shows: that Google's GPU code takes the whole graph, and its arithmetic. No phone's driver, no half precision, no time.
set -euo pipefail
cd "$(dirname "$0")/.."
models="$(realpath "${1:-library/src/main/assets/models}")" backends="${2:-opengl opencl}"
out="$PWD/apk/target"

property() { sed -n "s|.*<$1>\(.*\)</$1>.*|\1|p" pom.xml | head -1; }
fail() { echo "check_gpu: $*" >&2; exit 1; }
library() { # file name: where the loader finds it
  local found
  IFS=: read -r -a folders <<< "${LD_LIBRARY_PATH:-}"
  for folder in "${folders[@]}" /usr/lib/x86_64-linux-gnu /usr/lib64; do
    [ ! -e "$folder/$1" ] || { echo "$folder/$1"; return; }
  done
  fail "$1 is missing: run setup.sh --gpu"
}

[ -d "$out/test-classes" ] || fail "$out/test-classes is missing: run check.sh first"
repository="${M2_REPO:-$HOME/.m2/repository}"
aar() { echo "$repository/org/tensorflow/$1/$2/$1-$2.aar"; }
tflite=$(property tflite.version) kotlin=$(property kotlin.version) android=$(property android.all.version)
rm -rf "$out/gpu" && mkdir -p "$out/gpu/native"
for name in tensorflow-lite tensorflow-lite-gpu; do unzip -q -o "$(aar $name "$tflite")" 'jni/x86_64/*' -d "$out/gpu/native"; done
python3 tools/native/host_library.py "$out/gpu/native/jni/x86_64" "$out/gpu/host"
egl=$(library libEGL.so.1) gles=$(library libGLESv2.so.2)
ln -s "$egl" "$out/gpu/host/libEGL.so"
ln -s "$gles" "$out/gpu/host/libGLESv3.so"
if [[ $backends == *opencl* ]]; then
  opencl=$(library libOpenCL.so.1)
  cc -shared -fPIC -O1 -Wall -o "$out/gpu/host/libOpenCL.so" tools/native/opencl.c -ldl -Wl,--no-as-needed -L"$(dirname "$opencl")" -l:libOpenCL.so.1
fi

classes="$out/test-classes:$out/classes:$(ls "$out"/lib/*.jar | tr '\n' ':')"
classes+="$repository/org/jetbrains/kotlin/kotlin-stdlib/$kotlin/kotlin-stdlib-$kotlin.jar:"
classes+="$repository/org/robolectric/android-all/$android/android-all-$android.jar"
for backend in $backends; do
  for file in $(python3 -c 'import json, sys; print(*(model["file"] for model in json.load(open(sys.argv[1]))["models"]))' "$models/models.json"); do
    log="$out/gpu/$backend-$file.log"
    EGL_PLATFORM=surfaceless LIBGL_ALWAYS_SOFTWARE=1 LD_LIBRARY_PATH="$out/gpu/host:${LD_LIBRARY_PATH:-}" LD_PRELOAD="$out/gpu/host/libbionic.so" \
      java -Xmx1g -Djava.library.path="$out/gpu/host" -Dmodels="$models" -cp "$classes" org.mobilesr.GpuTileKt "${backend^^}" "$file" > "$log" 2>&1 || {
      # what the back end said, above the runtime's own words
      grep -hE "^(TfLiteGpuDelegate|${file//./\\.})|Exception in|OpenCL|clGet" "$log" | sort -u | head -10 >&2
      fail "$file on ${backend^^}: see $log"
    }
    # the classic delegate leaves to the CPU what it cannot, and says so here only
    taken=$(sed -n 's/^tflite ([0-9]*): Replacing \([0-9]*\) out of \([0-9]*\) node.* yielding \([0-9]*\) partition.*/\1 of \2 in \3/p' "$log" | head -1)
    [[ $taken =~ ^([0-9]+)\ of\ ([0-9]+)\ in\ 1$ && ${BASH_REMATCH[1]} == "${BASH_REMATCH[2]}" ]] || fail "$file on ${backend^^}: operations taken: ${taken:-none}: see $log"
    echo "$(tail -1 "$log"), operations taken: $taken"
  done
done
