#!/usr/bin/env bash
# Sets everything up in .venv beside this repository's README; run it again whenever you like.
#   scripts/setup.sh         to use mobile-sr
#   scripts/setup.sh --dev   to run the tests too
# PYTHON chooses the interpreter (default python3.11, else python3): 3.11, 3.12 or 3.13.
set -euo pipefail
cd "$(dirname "$0")/.."

python="${PYTHON:-$(command -v python3.11 || command -v python3 || true)}"
if [ -z "$python" ] || ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  scripts/system_packages.sh
  python="${PYTHON:-$(command -v python3.11 || command -v python3)}"
fi

"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' ||
  { echo "setup.sh: $("$python" -V) is not 3.11, 3.12 or 3.13: name one with PYTHON=... scripts/setup.sh" >&2; exit 2; }
case "${1:-}" in
  "") requirements=requirements.txt ;;
  --dev) requirements=requirements-dev.txt ;;
  *) echo "setup.sh: $1: give --dev or nothing" >&2; exit 2 ;;
esac
lock="${requirements%.txt}.lock" # every package with its hashes; pip refuses a file that is another
stamp=.venv/installed-$requirements
if [ ! -x .venv/bin/python ]; then "$python" -m venv .venv; fi
if ! cmp -s <(cat requirements* constraints.txt pyproject.toml) "$stamp"; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
  cat requirements* constraints.txt pyproject.toml >"$stamp"
fi
