#!/usr/bin/env bash
# Software Vulkan devices for `mobile-sr verify --gpu`: SwiftShader and Mesa's lavapipe, out of Debian's own packages (Debian 12 or 13).
# They are unpacked into the user's cache, nothing is installed, no root is needed; apt verifies Debian's signatures and checksums, and
# packages.txt there says what was taken. 82 MB to download, 192 MB unpacked. Run it again whenever you like.
set -euo pipefail

fail() { echo "gpu_packages.sh: $1" >&2; exit 1; }

cache="${XDG_CACHE_HOME:-$HOME/.cache}/mobile-sr/vulkan"
[ -f "$cache/packages.txt" ] && exit 0
codename="$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")"
case "$codename" in
  bookworm) suites="bookworm bookworm-backports" ;;  # Debian 12's own Mesa 22 is too old for LiteRT
  trixie) suites="trixie" ;;
  *) fail "the software Vulkan devices come from Debian 12 or 13, not from ${codename:-this system}: use a machine with a Vulkan GPU" ;;
esac
# The mirror that this system uses anyway.
mirror="$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
  awk -v name="$codename" '$2 == name && $3 == "main" { print $1; exit }')"
[ -n "$mirror" ] || fail "apt knows no mirror of Debian $codename: run \`apt-get update\` once"

mkdir -p "$(dirname "$cache")"
work="$(mktemp -d "$cache.XXXXXX")"
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/apt/{lists/partial,cache/archives/partial} "$work"/vulkan/{lavapipe,swiftshader}
: >"$work/apt/status"  # as if nothing were installed: so all libraries that lavapipe needs come along
for suite in $suites; do
  echo "deb [target=Packages signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
done >"$work/apt/sources.list"
own_apt() {
  apt-get -qq -o APT::Sandbox::User= -o Acquire::Retries=0 -o Debug::NoLocking=1 -o Acquire::Languages=none \
    -o Dir::Etc::SourceList="$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null -o Dir::State="$work/apt" \
    -o Dir::State::Lists="$work/apt/lists" -o Dir::State::status="$work/apt/status" -o Dir::Cache="$work/apt/cache" \
    "$@" >"$work/log" 2>&1 || fail "apt-get $1 failed ($(grep -m1 '^[EW]:' "$work/log" || tail -n1 "$work/log")): go online and run it again"
}
own_apt update -o APT::Update::Error-Mode=any
own_apt install --yes --download-only --no-install-recommends -t "${suites##* }" mesa-vulkan-drivers libvulkan1
cd "$work/apt/cache/archives"
own_apt download chromium-common

for package in *.deb; do
  case "$package" in
    chromium-common_*) into=swiftshader files=(./usr/lib/chromium/libvk_swiftshader.so ./usr/lib/chromium/libvulkan.so.1) ;;
    libc6_* | libgcc-s1_* | libstdc++6_* | gcc-*-base_*) continue ;;  # a second C library beside the system's would crash
    *) into=lavapipe files=('*.so*') ;;
  esac
  mkdir "$work/unpacked"
  dpkg -x "$package" "$work/unpacked"
  (cd "$work/unpacked" && for pattern in "${files[@]}"; do find . -path "$pattern" ! -type d -exec cp -P -t "$work/vulkan/$into" {} +; done)
  rm -r "$work/unpacked"
  sha256sum "$package" >>"$work/vulkan/packages.txt"
done
rm -f "$work"/vulkan/lavapipe/libvulkan_{intel,radeon,nouveau,virtio,gfxstream}*.so "$work"/vulkan/lavapipe/libVkLayer_*.so
for device in swiftshader:libvk_swiftshader.so lavapipe:libvulkan_lvp.so; do
  folder="${device%:*}" library="${device#*:}"
  [ -s "$work/vulkan/$folder/$library" ] || fail "$library is not in the packages of Debian $codename: report it"
  printf '{"file_format_version": "1.0.0", "ICD": {"library_path": "./%s", "api_version": "1.1.0"}}\n' "$library" >"$work/vulkan/$folder/icd.json"
done
mv -T "$work/vulkan" "$cache"
