"""One thin file a command: it parses, calls the library, prints the result. Heavy imports stay inside the functions."""

from collections.abc import Callable

from conversion.commands.benchmark import benchmark
from conversion.commands.benchmark_training import benchmark_training
from conversion.commands.blend import blend
from conversion.commands.compare import compare
from conversion.commands.compare_optimizers import compare_optimizers
from conversion.commands.compile import compile
from conversion.commands.convert import convert
from conversion.commands.evaluate import evaluate
from conversion.commands.fetch import fetch
from conversion.commands.fold import fold
from conversion.commands.import_checkpoint import import_checkpoint
from conversion.commands.inspect import inspect
from conversion.commands.models import models
from conversion.commands.page import page
from conversion.commands.qat import qat
from conversion.commands.recipes import recipes
from conversion.commands.report import report
from conversion.commands.train import train
from conversion.commands.upscale import upscale
from conversion.commands.upscale_many import upscale_many
from conversion.commands.verify import verify

COMMANDS: dict[str, Callable] = {
    "upscale": upscale,
    "upscale-many": upscale_many,
    "import": import_checkpoint,
    "fold": fold,
    "convert": convert,
    "evaluate": evaluate,
    "verify": verify,
    "inspect": inspect,
    "compile": compile,
    "benchmark": benchmark,
    "models": models,
    "fetch": fetch,
    "blend": blend,
    "compare": compare,
    "train": train,
    "qat": qat,
    "recipes": recipes,
    "report": report,
    "page": page,
    "compare-optimizers": compare_optimizers,
    "benchmark-training": benchmark_training,
}
