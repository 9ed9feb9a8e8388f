#!/usr/bin/env bash
# Installs what check.sh needs on Debian 12, except Python: JDK 17, Maven and the tools that pack an APK. Safe to run again.
set -euo pipefail

packages=(openjdk-17-jdk-headless maven zip unzip zipalign apksigner dexdump)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2> /dev/null | grep -q 'ok installed' || missing+=("$package")
done
# another JDK or Maven, installed by hand, is as good
command -v javac > /dev/null && missing=("${missing[@]/openjdk-17-jdk-headless/}")
command -v mvn > /dev/null && missing=("${missing[@]/maven/}")
read -ra missing <<< "${missing[*]}"

if [ ${#missing[@]} -eq 0 ]; then
  echo "setup: nothing to install"
else
  sudo=$([ "$(id -u)" -eq 0 ] || echo sudo)
  $sudo apt-get update -qq
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends "${missing[@]}"
fi
