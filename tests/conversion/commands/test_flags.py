"""The library speaks of arguments, the command line of flags; a settings dataclass gives a command its options."""

import inspect
from dataclasses import fields

import pytest
from support.command_line import one_line_error, run

from conversion.commands import COMMANDS
from conversion.commands.flags import with_flags
from conversion.quantization.qat.settings import QatSettings
from keras_models.training.settings import Settings


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("leave `tile` out", "leave --tile out"),
        ("raise it with `max_megapixels`", "raise it with --max-megapixels"),
        ("leave the head start out (`no_head_start`)", "leave the head start out (--no-head-start)"),
        ("choose `format` png", "choose --format png"),
        ("run `mobile-sr models`; no `such` thing", "run `mobile-sr models`; no `such` thing"),
    ],
)
def test_arguments_become_flags(said, read):
    assert with_flags(said) == read


def test_an_error_of_the_library_reaches_people_with_flags(tmp_path):
    error = one_line_error(run("train", "lkdn-s", "--data", tmp_path, "--out", tmp_path / "run", "--decay", "3"))
    assert "give --schedule wsd and --decay STEPS together" in error


@pytest.mark.parametrize(("name", "settings", "kept"), [("train", Settings, {"preset", "betas"}), ("qat", QatSettings, {"ema", "warmup"})])
def test_every_setting_is_an_option_that_says_what_it_is(name, settings, kept):
    parameters = inspect.signature(COMMANDS[name]).parameters
    for field in fields(settings):
        if field.name not in kept:
            assert parameters[field.name].annotation.__metadata__[0].help.endswith("."), field.name
    assert not {"given"} & parameters.keys()
