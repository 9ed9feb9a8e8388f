"""The fields of a settings dataclass as options of a command, so that each is named, typed and explained in one place."""

import dataclasses
import inspect
import re
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer


def settings_options(settings: type, *leave_out: str) -> Callable[[Callable], Callable]:
    """Decorator: a command with `**given` gets an option for each field; what was not given is None.

    Args:
        settings: a dataclass whose docstring lists its fields under "Attributes:"; the text there becomes the help.
        leave_out: fields that are no options.

    Example:
        >>> @dataclasses.dataclass
        ... class Sizes:
        ...     '''Of something.
        ...
        ...     Attributes:
        ...         side: in pixels.
        ...     '''
        ...     side: int = 3
        >>> @settings_options(Sizes)
        ... def command(**given): ...
        >>> inspect.signature(command).parameters["side"].annotation.__metadata__[0].help
        'In pixels.'
    """
    kinds, texts = typing.get_type_hints(settings), _documented(settings)
    options = {
        field.name: Annotated[kinds[field.name] | None, typer.Option(help=texts[field.name])]
        for field in dataclasses.fields(settings)
        if field.name not in leave_out
    }

    def add(command: Callable) -> Callable:
        own = inspect.signature(command)
        kept = [parameter for parameter in own.parameters.values() if parameter.kind is not parameter.VAR_KEYWORD]
        made = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind) for name, kind in options.items()]
        described: Any = command
        described.__signature__ = own.replace(parameters=[*kept, *made])
        described.__annotations__ = {**{k: v for k, v in command.__annotations__.items() if k != "given"}, **options}
        return command

    return add


def _documented(settings: type) -> dict[str, str]:
    """Field -> its sentence in the docstring."""
    listed = inspect.cleandoc(settings.__doc__ or "").split("Attributes:\n", 1)[1].split("\n\n")[0]
    entries = re.findall(r"^    (\w+): (.+(?:\n     .*)*)", listed, re.MULTILINE)
    return {name: text[0].upper() + " ".join(text.split())[1:] for name, text in entries}
