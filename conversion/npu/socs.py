"""The Snapdragons that files are compiled for: names, numbers, and what their Hexagon can compute."""

from dataclasses import asdict, dataclass

from keras_models.system.errors import ConversionError


@dataclass(frozen=True)
class Soc:
    """One system on a chip.

    Attributes:
        name: Qualcomm's, as Android's `Build.SOC_MODEL` begins.
        sold_as: the name on the box.
        number: Qualcomm's `soc_model`, which the emulation wants.
        arch: of its Hexagon: 75 is V75.
        half: its NPU computes half precision, which float files need; the compiler says so, no rule of the architecture does.
    """

    name: str
    sold_as: str
    number: int
    arch: int
    half: bool


SOCS: dict[str, Soc] = {
    soc.name: soc
    for soc in (
        Soc("SM8350", "Snapdragon 888", 30, 68, half=False),
        Soc("SM8450", "Snapdragon 8 Gen 1", 36, 69, half=True),
        Soc("SM8475", "Snapdragon 8+ Gen 1", 42, 69, half=True),
        Soc("SM8550", "Snapdragon 8 Gen 2", 43, 73, half=True),
        Soc("SM8650", "Snapdragon 8 Gen 3", 57, 75, half=True),
        Soc("SM8750", "Snapdragon 8 Elite", 69, 79, half=True),
        Soc("SM8850", "Snapdragon 8 Elite Gen 5", 87, 81, half=True),
        Soc("SM8845", "Snapdragon 8 Gen 5", 97, 81, half=True),
        Soc("SM8735", "Snapdragon 8s Gen 4", 85, 73, half=False),
        Soc("SM8635", "Snapdragon 8s Gen 3", 68, 73, half=False),
        Soc("SM7675", "Snapdragon 7+ Gen 3", 70, 73, half=False),
        Soc("SM7475", "Snapdragon 7+ Gen 2", 54, 69, half=False),
        Soc("SM7750", "Snapdragon 7 Gen 4", 86, 73, half=False),
        Soc("SM7550", "Snapdragon 7 Gen 3", 64, 73, half=False),
        Soc("SM7450", "Snapdragon 7 Gen 1", 41, 69, half=True),
        Soc("SM7635", "Snapdragon 7s Gen 3", 73, 73, half=False),
        Soc("SM7435", "Snapdragon 7s Gen 2", 61, 73, half=False),
        Soc("SM6650", "Snapdragon 6 Gen 4", 74, 73, half=False),
        Soc("SM6475", "Snapdragon 6 Gen 3", 76, 73, half=False),
        Soc("SM6450", "Snapdragon 6 Gen 1", 50, 73, half=False),
    )
}
"""Name -> the SoC. A new one is one line, once `tests/conversion/npu/` passes with it."""

DEFAULT_SOC = "SM8650"
"""What a file is tried on where no SoC is named."""


def socs_named(text: str) -> tuple[Soc, ...]:
    """The SoCs of a list "sm8650,sm8750", in any case, each once.

    Raises:
        ConversionError: one is unknown, or none is named.

    Example:
        >>> [soc.arch for soc in socs_named("sm8650, SM8750")]
        [75, 79]
    """
    names = list(dict.fromkeys(word.strip().upper() for word in text.split(",") if word.strip()))
    unknown = [name for name in names if name not in SOCS]
    if unknown or not names:
        named = ", ".join(unknown) or repr(text)
        raise ConversionError(f"`soc` {named}: no such SoC here: `mobile-sr compile --soc list` prints those that are known")
    return tuple(SOCS[name] for name in names)


@dataclass(frozen=True)
class SocList:
    """The known SoCs, for `compile --soc list`."""

    socs: tuple[Soc, ...]
    version: int = 1

    def as_json(self) -> dict:
        """JSON-ready."""
        return {"version": self.version, "socs": [asdict(soc) | {"half": soc.half} for soc in self.socs]}

    def as_text(self) -> str:
        """A table."""
        lines = [f"{'name':8}{'sold as':26}{'Hexagon':9}half precision"]
        return "\n".join(lines + [f"{s.name:8}{s.sold_as:26}{f'V{s.arch}':9}{'yes' if s.half else 'no'}" for s in self.socs])
