"""A wrong scale is planted in one tensor of an 8-bit file, and that tensor is named."""

import json

import pytest
from support.command_line import one_line_error, run
from support.int8_twins import LAYERS, twins

from conversion.measuring.feeds import Fed, feeds_of
from conversion.measuring.int8_bisect import bisect_int8
from keras_models.system.errors import ModelError


def bisected(files):
    data, feeds = feeds_of(files[1], Fed(["uniform"]))
    return bisect_int8(*files, feeds, data)


@pytest.mark.parametrize("names", [True, False])
def test_a_good_file_loses_what_8_bits_explain(names, tmp_path):
    found = bisected(twins(tmp_path, names=names))
    assert found.problems == () and found.unpaired == 0 and [loss.number for loss in found.losses] == [*range(LAYERS)]
    for loss in found.losses:
        assert loss.alone > 30 and loss.cumulated > 25 and loss.cumulated < loss.alone + 3, loss


@pytest.mark.parametrize("number", range(LAYERS))
@pytest.mark.parametrize(("factor", "words"), [(8, "times what its numbers need"), (0.2, "too small")])
def test_a_wrong_scale_is_named(number, factor, words, tmp_path):
    found = bisected(twins(tmp_path, {number: factor}))
    assert found.losses[found.worst].number == number and words in found.losses[found.worst].reason
    assert found.losses[number].alone < found.losses[number].explained - 8
    assert [loss.number for loss in found.losses if loss.reason] == [number], "what reads it is right of what it was given"
    assert found.losses[-1].cumulated < bisected(twins(tmp_path)).losses[-1].cumulated


def test_wrong_weights_are_named(tmp_path):
    found = bisected(twins(tmp_path, weights={2: 2.0}))
    assert found.losses[found.worst].number == 2 and "2 times the float file's" in found.problems[0]


def test_command_line(tmp_path):
    files = twins(tmp_path, {3: 8})
    said = run("verify", files[0], "--int8-of", files[1], "--inputs", "uniform", "--json", tmp_path / "found.json",
               "--page", tmp_path / "page.html")  # fmt: skip
    assert "operation 3, ADD (sum1): its scale is" in one_line_error(said) and "cumulated" in said.stdout
    assert json.loads((tmp_path / "found.json").read_text())["worst"] == 3
    page = (tmp_path / "page.html").read_text()
    assert page.count('<tr class="marked">') == 1 and page.count("<tr>") == LAYERS and "sum1" in page and "src=" not in page
    with pytest.raises(ModelError, match="no integers"):
        bisected((files[1], files[1]))
    assert "leave it out" in one_line_error(run("verify", files[0], "--int8-of", files[1], "--gpu"))
