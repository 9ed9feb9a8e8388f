#!/usr/bin/env bash
# Seconds for each megapixel of a photo with the model that ships, tile by tile, on this machine's processor; after check.sh.
#   tools/measure.sh [WIDTH HEIGHT]        default 1280 960; 4000 3000 is a phone's photo
set -euo pipefail
cd "$(dirname "$0")/../app"
width="${1:-1280}" height="${2:-960}"
library=$("${PYTHON:-python3}" -c 'import ai_edge_litert, pathlib; print(pathlib.Path(ai_edge_litert.__file__).parent / "libLiteRt.so")')
repository="${M2_REPO:-$HOME/.m2/repository}"
jar() { ls "$repository/$1"/*/"$2"-[0-9]*.jar | tail -1; }
classes=target/test-classes:target/classes:../library/target/classes:../core/target/classes:../litert-jvm/target/classes
classes+=:$(jar org/jetbrains/kotlin/kotlin-stdlib kotlin-stdlib):$(jar net/java/dev/jna/jna jna)
for run in "96 1" "96 2" "256 1" "256 2"; do
  # -Xmx: what a phone gives an app with a large heap
  java -Xmx512m -Dlitert.lib="$library" -cp "$classes" org.mobilesr.app.MeasureUpscaleKt ../library/src/main/assets/models ${run% *} "$width" "$height" ${run#* } 2> /dev/null
done
