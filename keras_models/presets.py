"""What a preset is: a network that this project knows by name, as plain data. The lists stand beside their networks."""

from dataclasses import dataclass
from pathlib import Path

WEIGHTS = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class Preset:
    """One named configuration.

    Attributes:
        name: as on the command line.
        network: class name in `keras_models.registry`.
        config: arguments of the class, training form.
        description: one line.
        parameters: (training form, deploy form).
        low_res: (H, W), low-resolution pixels of the published count, for a 1280x720 result.
        multi_adds: multiply-adds of the deploy form's convolutions at `low_res`.
        credit: paper and licence of the architecture.
        use: what the network is for, a few words.
    """

    name: str
    network: str
    config: dict
    description: str
    parameters: tuple[int, int]
    low_res: tuple[int, int]
    multi_adds: int
    credit: str
    use: str = ""

    @property
    def scale(self) -> int:
        """Upscaling factor."""
        return self.config["scale"]

    @property
    def weights(self) -> Path | None:
        """The shipped weights (.safetensors, PyTorch names), None if this project has not trained any yet."""
        path = WEIGHTS / f"{self.name}.safetensors"
        return path if path.is_file() else None

    @property
    def card(self) -> Path | None:
        """The model card of the shipped weights (JSON), None without weights."""
        path = WEIGHTS / f"{self.name}.json"
        return path if path.is_file() else None


LOW_RES = {1: (720, 1280), 2: (360, 640), 3: (240, 427), 4: (180, 320)}
"""Scale -> (H, W) of the low-resolution image whose result is 1280x720, for published counts of multiply-adds."""
