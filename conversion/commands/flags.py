"""The library's messages name arguments (`tile`); people at the command line type flags (--tile)."""

import functools
import inspect
import re
from typing import get_args


def with_flags(message: str) -> str:
    """A message in which every argument's name in backticks that is an option of a command is written as its flag.

    Example:
        >>> with_flags("give a smaller `tile`, or run `adb devices`")
        'give a smaller --tile, or run `adb devices`'
    """
    return re.sub(r"`(\w+)`", lambda name: _flags().get(name[1], name[0]), message)


@functools.cache
def _flags() -> dict[str, str]:
    """Argument -> flag, of all commands; a switch's other side too (no_head_start)."""
    from conversion.commands import COMMANDS

    flags = {}
    for command in COMMANDS.values():
        for name, parameter in inspect.signature(command, eval_str=True).parameters.items():
            kind, option = parameter.annotation.__origin__, parameter.annotation.__metadata__[0]
            if type(option).__name__ == "OptionInfo":
                # In an Annotated option the first name stands where a default would.
                declared = [part for part in (option.default, *(option.param_decls or ())) if isinstance(part, str)]
                switch = [f"--no-{name}"] if bool in (kind, *get_args(kind)) else []
                for flag in "/".join(declared or [f"--{name}", *switch]).split("/"):
                    flags[flag.strip("-").replace("-", "_")] = flag.replace("_", "-")
    return flags
