#!/usr/bin/env bash
# The headless browser that tests/conversion/measuring/test_report.py drives: Debian's Chromium with its driver. Safe to run again.
exec "$(dirname "$0")/system_packages.sh" chromium chromium-driver
