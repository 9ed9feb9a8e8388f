#!/usr/bin/env bash
# What the tests of the page's modules need: node with npm (Debian's, where there is none), the linter and the type checker.
# Safe to run again.
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v node >/dev/null || ! command -v npm >/dev/null; then scripts/system_packages.sh nodejs npm; fi
npm --prefix tests/webpage_js ci --ignore-scripts --no-audit --no-fund --silent
