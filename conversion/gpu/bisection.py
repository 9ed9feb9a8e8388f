"""What a bisection found: the operation that breaks, and how far every other one is off."""

from dataclasses import asdict, dataclass

from keras_models.system.errors import printable

REPORT_VERSION = 1


@dataclass(frozen=True)
class Culprit:
    """The operation that is named.

    Attributes:
        number: its place in the file, from 0.
        operation: "CONV_2D".
        tensor: the name of its result.
        input: on which of the inputs it left furthest.
        difference: largest difference to the CPU's single precision, None if it is not finite.
        allowed: what rounding explains.
        inputs: of each number that it reads, name -> (smallest, largest) value in single precision.
        result: (smallest, largest) value that it should have.
        reason: in words.
        alone: True if it leaves by itself, on inputs that are right; False if it does only behind what stands before it.
    """

    number: int
    operation: str
    tensor: str
    input: str
    difference: float | None
    allowed: float
    inputs: dict[str, tuple[float, float]]
    result: tuple[float, float]
    reason: str
    alone: bool

    def as_text(self) -> str:
        """One operation, several lines."""
        lines = [f"operation {self.number}, {self.operation} ({self.tensor}), on {self.input}: {self.reason}"]
        how = "not finite" if self.difference is None else f"differs by {self.difference:.3g}"
        by = "by itself, on right inputs" if self.alone else "behind the rounding of what stands before it, not by itself"
        lines.append(f"  {how}, {self.allowed:.3g} is explained by rounding; {by}")
        lines += [f"  reads {name}: {low:.4g} to {high:.4g}" for name, (low, high) in self.inputs.items()]
        lines.append(f"  should give {self.result[0]:.4g} to {self.result[1]:.4g}")
        return "\n".join(lines)


@dataclass(frozen=True)
class Step:
    """One operation's result: of all inputs the one that comes nearest to what is allowed, or goes furthest beyond.

    Attributes:
        number: of the operation.
        operation: its name.
        tensor: the result's name.
        input: on which.
        difference: largest absolute one, None if it is not finite where it should be.
        allowed: what rounding explains of it.
        ratio: how many times what is allowed it is, in its largest or its mean square difference; None if it is not finite.
    """

    number: int
    operation: str
    tensor: str
    input: str
    difference: float | None
    allowed: float
    ratio: float | None

    @property
    def leaves(self) -> bool:
        """Beyond what rounding explains."""
        return self.ratio is None or self.ratio > 1


@dataclass(frozen=True)
class Bisection:
    """What was found.

    Attributes:
        file: its name.
        device: the adapter.
        inputs: names of what it was run on.
        compared: how many results were compared, of how many operations.
        operations: how many there are.
        refused: the engine's word if it does not take the file, else None; what does not depend on such operations is compared then.
        single: the first operation that is wrong in single precision already.
        half: the first one that leaves in half precision.
        not_finite: the first whose result is not finite in half precision.
        unconfirmed: operations whose copies left and whose prefixes did not.
        outputs_leave: the file's own outputs leave in half precision too.
        steps: every operation in half precision.
        version: of this schema.
    """

    file: str
    device: str
    inputs: tuple[str, ...]
    compared: int
    operations: int
    refused: str | None
    single: Culprit | None
    half: Culprit | None
    not_finite: Step | None
    unconfirmed: tuple[int, ...]
    outputs_leave: bool
    steps: tuple[Step, ...]
    version: int = REPORT_VERSION

    @property
    def problems(self) -> tuple[str, ...]:
        """What is wrong, in words."""
        wrong = {"single precision": self.single, "half precision": self.half}
        broken = (f"{kind} breaks in operation {c.number}, {c.operation}: {c.reason}" for kind, c in wrong.items() if c)
        return (*([self.refused] if self.refused else []), *broken)

    def as_json(self) -> dict:
        """JSON-ready."""
        return {**asdict(self), "problems": self.problems}

    def as_text(self) -> str:
        """For people."""
        if self.refused and not self.compared:
            return printable(f"bisect               {self.refused}")
        lines = [
            f"bisect               {self.device}: {self.compared} results of {self.operations} operations, on {', '.join(self.inputs)}"
        ]
        if self.refused:
            lines.append(f"refused              {self.refused}: only what does not depend on that was compared")
        for kind, culprit in (("single", self.single), ("half", self.half)):
            lines.append(f"{kind + ' precision':20} {culprit.as_text() if culprit else 'no operation leaves what rounding explains'}")
        if self.half and self.not_finite and self.not_finite.number != self.half.number:
            lines.append(f"not finite first     operation {self.not_finite.number}, {self.not_finite.operation} ({self.not_finite.tensor})")
        if self.half:
            lines.append(f"outputs              {'leave too' if self.outputs_leave else 'stay within what rounding explains all the same'}")
        return "\n".join(map(printable, "\n".join(lines).split("\n")))
