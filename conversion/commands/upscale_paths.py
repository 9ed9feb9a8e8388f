"""What `upscale` reads and writes: which of the words behind it are inputs, and what the outputs are
called.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_models.data.photo_formats import is_photo_name
from keras_models.system.errors import ImageError

STANDARD = "-"
"""The word for standard input or output."""


@dataclass(frozen=True)
class Words:
    """The command line, sorted out.

    Attributes:
        inputs: photos and folders, or the word for standard input alone.
        output: file, folder or the word for standard output; None for names beside the inputs.
        into_folder: the output is a folder that photos are written into.
    """

    inputs: tuple[str, ...]
    output: str | None
    into_folder: bool


def sort_words(words: Sequence[str], option: str | None, overwrite: bool) -> Words:
    """Tells inputs from the output.

    Args:
        words: as given; the last of two is the output if `option` is not given and it is no second photo.
        option: of -o.
        overwrite: an output that exists may be replaced.

    Raises:
        ImageError: an input that is not there, or words that can be read in two ways.
    """
    if "" in (*words, option):
        raise ImageError(
            "an empty name: give the path of a photo or folder; a variable in a script may be unset"
        )
    inputs, output = list(words), option
    if option is None and len(words) == 2 and not _is_second_input(words, overwrite):
        inputs, output = [words[0]], words[1]
    if (
        option is None
        and len(words) > 2
        and (not os.path.exists(words[-1]) or (os.path.isdir(words[-1]) and not os.path.isdir(words[0])))
    ):
        raise ImageError(
            f"{words[-1]}: with several inputs the output is a folder that -o names: give -o {words[-1]}"
        )
    if STANDARD in inputs and len(inputs) > 1:
        raise ImageError("-: standard input is one photo: give it alone")
    for word in inputs:
        if word != STANDARD and not os.path.exists(word):
            raise ImageError(f"{word}: no such file or folder: check the path")
    several = len(inputs) > 1
    if output is None or output == STANDARD:
        if several and output:
            raise ImageError("-: standard output takes one photo: give -o FOLDER")
        return Words(tuple(inputs), output, False)
    named = option is not None and not Path(output).suffix and not os.path.exists(output)
    folder = several or named or os.path.isdir(output) or output.endswith(os.sep)
    if several and os.path.exists(output) and not os.path.isdir(output):
        raise ImageError(f"{output}: is a file: several inputs need an output folder")
    return Words(tuple(inputs), output, folder and not (len(inputs) == 1 and os.path.isdir(inputs[0])))


def beside(source: Path, name: str) -> Path:
    """A path beside an input, a link's own place included; "." and ".." are looked up first."""
    place = source if source.name not in ("", "..") else Path(os.path.realpath(source))
    return place.with_name(f"{place.name if source.is_dir() else place.stem}{name}")


def outputs_of(photos: Sequence[Path], folder: Path | None, ending: str) -> list[Path]:
    """An output for each of several photos, in one folder or beside each.

    Args:
        photos: the inputs.
        folder: to write into; None for beside.
        ending: behind the photo's name, the file's own ending included.

    Raises:
        ImageError: two would become one file.
    """
    named = [folder / f"{photo.stem}{ending}" if folder else beside(photo, ending) for photo in photos]
    for name, count in Counter(os.path.abspath(path).casefold() for path in named).items():
        if count > 1:
            twice = [
                str(photo) for photo, path in zip(photos, named) if os.path.abspath(path).casefold() == name
            ]
            raise ImageError(
                f"{' and '.join(twice[:2])} would both become {Path(name).name}: rename one of them, or "
                "give them one by one"
            )
    return named


def _is_second_input(words: Sequence[str], overwrite: bool) -> bool:
    """Of two words, whether the second is a photo that is there, and not to be replaced."""
    second = words[1]
    if second == STANDARD or overwrite or not os.path.isfile(second) or not is_photo_name(second):
        return False
    return words[0] != STANDARD and os.path.exists(words[0]) and not os.path.samefile(*words)
