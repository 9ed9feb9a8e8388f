"""One phone through adb: files there, commands there, and adb's many ways of saying no, each as one clear error."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from keras_models.system.errors import MobileSRError

PUSH_LIMIT_S = 300.0
# Old adb and old phones lose a remote command's exit status, so the shell prints it as its last line.
_STATUS = "mobile-sr-exit-status="
_NO_PHONE = "no device is connected: plug a phone in and allow USB debugging (`adb devices` lists it)"
_FAILURES = (
    (r"no devices/emulators found|no devices found", _NO_PHONE),
    (r"device unauthorized", "the phone has not authorized this computer: unlock it and confirm the USB debugging dialog"),
    (r"device offline", "the phone is offline: reconnect the cable or run `adb reconnect`"),
    (r"more than one device", "more than one device is connected: choose one with `device` SERIAL (`adb devices` lists them)"),
    (r"device '([^']*)' not found", "no device '{0}': `adb devices` lists the connected ones"),
    (r"device still (?:authorizing|connecting)", "the phone is still connecting: try again in a moment"),
    (r"cannot connect to daemon|failed to start daemon", "the adb server does not start: run `adb kill-server` and try again"),
    (r"No space left on device", "the phone's storage is full: free some space in /data"),
    (r"[Rr]ead-only file system", "the phone does not let adb write there: restart it"),
    (r"protocol fault|connection reset|device disconnected|error: closed", "the connection to the phone was lost: check the cable"),
)


class AdbError(MobileSRError):
    """The phone cannot be reached or does not take what it is given."""


@dataclass(frozen=True)
class Answer:
    """What a command on the phone gave.

    Attributes:
        status: exit status.
        text: standard output and standard error.
    """

    status: int
    text: str


@dataclass(frozen=True)
class Phone:
    """A connected phone.

    Attributes:
        adb: the adb program.
        serial: which phone, None for the only one.
    """

    adb: str = "adb"
    serial: str | None = None

    def describe(self) -> str:
        """Maker, model, chip and Android version; asking is also the test that the phone answers.

        Raises:
            AdbError: it does not.
        """
        keys = ("ro.product.manufacturer", "ro.product.model", "ro.soc.model", "ro.board.platform", "ro.build.version.release")
        text = self.shell("; ".join(f"getprop {key}" for key in keys)).text
        maker, model, chip, platform, android = (line.strip() for line in (text.splitlines() + [""] * 5)[:5])
        return ", ".join(filter(None, (f"{maker} {model}".strip(), chip or platform, android and f"Android {android}")))

    def push(self, source: Path, target: str) -> None:
        """Copies a file to the phone.

        Raises:
            AdbError: the phone cannot be reached, or has no room.
        """
        done = self._call(["push", str(source), target], PUSH_LIMIT_S)
        if done.status:
            raise AdbError(f"{source}: cannot be copied to the phone: {_reason(done.text)}")

    def shell(self, command: str, limit_s: float = 60.0) -> Answer:
        """Runs a command on the phone; a command that fails is an answer, a phone that cannot be reached is an error.

        Raises:
            AdbError: the phone cannot be reached, or does not answer within `limit_s`.
        """
        done = self._call(["shell", f"{command}; echo {_STATUS}$?"], limit_s)
        text, found, status = done.text.rpartition(_STATUS)
        if found:
            return Answer(int(status.split()[0]), text)
        raise AdbError(f"adb: {_reason(done.text)}")

    def _call(self, arguments: list[str], limit_s: float) -> Answer:
        command = [self.adb, *(["-s", self.serial] if self.serial else []), *arguments]
        try:
            done = subprocess.run(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=limit_s, check=False
            )
        except FileNotFoundError:
            raise AdbError(f"{self.adb}: no such program: install Android's platform-tools, or give `adb_program` PATH") from None
        except PermissionError:
            raise AdbError(f"{self.adb}: cannot be run: give the adb program itself with `adb_program` PATH") from None
        except subprocess.TimeoutExpired:
            raise AdbError(f"adb: the phone did not answer within {limit_s:g} s: reconnect it and keep it awake") from None
        return Answer(done.returncode, done.stdout.decode(errors="replace").replace("\r", ""))


def _reason(text: str) -> str:
    """What adb's words mean; its last line where they are not among the known ones."""
    for pattern, meaning in _FAILURES:
        match = re.search(pattern, text)
        if match:
            return meaning.format(*match.groups())
    return (text.strip().splitlines() or ["the phone cut the command off: check the cable"])[-1]
