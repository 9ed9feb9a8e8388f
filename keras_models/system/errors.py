"""The errors of this project: each message says what is wrong, where, what was received and what to do."""


class MobileSRError(Exception):
    """Something the user can mend; the command line prints it on one line and exits with status 2.

    Names from outside files stand in messages: line breaks and whatever else would steer a terminal become spaces.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(str(message)))


class CheckpointError(MobileSRError):
    """A weights file that cannot be read, is not safe to read, or does not fit the network."""


class ImageError(MobileSRError):
    """An image or a folder of images that cannot be read or written."""


class ModelError(MobileSRError):
    """A model file, preset or configuration that cannot be used."""


class ConversionError(MobileSRError):
    """A graph that cannot be converted, or whose converted file breaks the .tflite contract."""


class TrainingError(MobileSRError):
    """A training run that cannot start, continue or be saved."""


class FetchError(MobileSRError):
    """Published weights that cannot be downloaded, or are not what the catalogue says."""


class OutputError(MobileSRError):
    """A file that cannot be written where it was asked for."""


class LeftOut(UserWarning):
    """Something of what was given that is not used, and why: the work goes on without it. The command line prints it on one line."""

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(str(message)))


def printable(text: str) -> str:
    """The text on one line that steers no terminal: line breaks, escapes and the like become spaces."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def one_line(error: Exception, length: int = 200) -> str:
    """What another library's error says, as the part of one of ours: on one line, cut; its type's name if it says nothing."""
    return (" ".join(str(error).split()) or type(error).__name__)[:length]
