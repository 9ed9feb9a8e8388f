#!/usr/bin/env bash
# Installs what check.sh needs on Debian 12, except Python: JDK 17, Maven and the tools that pack and try an APK. Safe to run again.
#   setup.sh --gpu            and the software OpenGL and OpenCL of check.sh --gpu, 130 MB
set -euo pipefail
packages=(zip unzip zipalign apksigner dexdump gcc libc6-dev)
# another JDK or Maven, installed by hand, is as good
command -v javac >/dev/null || packages+=(openjdk-17-jdk-headless)
command -v mvn >/dev/null || packages+=(maven)
[ "${1:-}" != --gpu ] || packages+=(libegl1 libgles2 libegl-mesa0 libgl1-mesa-dri pocl-opencl-icd ocl-icd-libopencl1)
exec "$(dirname "$0")/../scripts/system_packages.sh" "${packages[@]}"
