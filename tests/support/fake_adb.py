#!/usr/bin/env python3
"""A stand-in for adb with a phone of one scenario: replays recorded outputs of `benchmark_model`, and adb's real failures.

FAKE_ADB_SCENARIO names a failure below or a section of the recorded logs (several, comma-separated, are replayed one a run);
FAKE_ADB_LOGS is their file, FAKE_ADB_CALLS a file that every call is added to as a line of JSON.
"""

import json
import os
import re
import sys
from pathlib import Path

STATUS = re.compile(r"; echo (mobile-sr-exit-status=)\$\?$")
PROPERTIES = ["Maker", "Phone 1", "CHIP9000", "chip", "15"]
UNREACHABLE = {
    "no_device": "adb: no devices/emulators found",
    "no_device_old": "error: no devices/emulators found",
    "offline": "error: device offline",
    "unauthorized": "adb: device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nTry 'adb kill-server' if that seems wrong.\n"
    "Otherwise check for a confirmation dialog on your device.",
    "two_devices": "adb: more than one device/emulator",
    "wrong_serial": "adb: device 'X1' not found",
    "no_server": "* daemon not running; starting now at tcp:5037\nadb: failed to check server version: cannot connect to daemon",
}
NO_SPACE = "adb: error: failed to copy '{0}' to '{1}': remote write failed: No space left on device"


def sections(path):
    """Name -> (exit status, output) of the recorded logs."""
    found = re.findall(r"^@@ (\w+) exit=(\d+)\n(.*?)(?=^@@ |\Z)", Path(path).read_text(), re.DOTALL | re.MULTILINE)
    return {name: (int(status), body) for name, status, body in found}


def earlier_runs(calls):
    return sum("--graph=" in line for line in calls.read_text().splitlines()) - 1


def main(arguments):
    calls = Path(os.environ["FAKE_ADB_CALLS"])
    with calls.open("a") as file:
        file.write(json.dumps(arguments) + "\n")
    scenario = os.environ["FAKE_ADB_SCENARIO"]
    if arguments[0] == "-s":
        arguments = arguments[2:]
    if scenario in UNREACHABLE:
        sys.stderr.write(UNREACHABLE[scenario] + "\n")
        return 1
    if arguments[0] == "push":
        if scenario == "no_space" and arguments[1].endswith(".tflite"):
            sys.stderr.write(NO_SPACE.format(*arguments[1:]) + "\n")
            return 1
        sys.stdout.write(f"{arguments[1]}: 1 file pushed, 0 skipped. 30.1 MB/s (577292 bytes in 0.018s)\n")
        return 0
    command = arguments[1]
    status, output = 0, ""
    if "getprop" in command:
        output = "".join(f"{value}\r\n" for value in PROPERTIES)
    elif "--graph=" in command:
        if scenario == "unplugged":
            sys.stdout.write("INFO: STARTING!\nadb: device offline\n")
            return 1
        names = scenario.split(",")
        status, output = sections(os.environ["FAKE_ADB_LOGS"])[names[min(earlier_runs(calls), len(names) - 1)]]
    sys.stdout.write(output)
    marker = STATUS.search(command)
    if marker:
        sys.stdout.write(f"{marker[1]}{status}\n")
        return 0
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
