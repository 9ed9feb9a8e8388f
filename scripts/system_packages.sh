#!/usr/bin/env bash
# Installs Debian packages that are missing; without names those that mobile-sr needs: Python with venv. Safe to run again.
set -euo pipefail
packages=("$@")
[ ${#packages[@]} -eq 0 ] && packages=(python3 python3-venv)
missing=()
for package in "${packages[@]}"; do
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0
exec 9>"${TMPDIR:-/tmp}/mobile-sr-packages.lock"
flock 9 # two of us at a time: apt does not wait
as_root=""; [ "$(id -u)" -eq 0 ] || as_root=sudo
$as_root apt-get update -qq
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
