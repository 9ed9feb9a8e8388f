"""Pictures are encoded while their rows come: without a copy on the disk, and without anybody waiting for an encoder that failed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from conversion.upscaling import encoders
from conversion.upscaling.image_writers import writing
from conversion.upscaling.images import ImageKind
from conversion.upscaling.photo_metadata import Metadata
from keras_models.system.errors import ImageError

KIND = ImageKind(width=2000, height=3000, colours=3, alpha=False, depth=8)  # 18 MB, twice what may wait for the encoder
BAND = 250


def bands(seed=0):
    smooth = np.linspace(0, 200, KIND.width)[None, :, None] + np.linspace(0, 50, KIND.height)[:, None, None] + np.array([0, 2, 4])
    return np.split(smooth.astype(np.uint8), range(BAND, KIND.height, BAND))


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".tif", ".avif"])
def test_rows_become_the_picture_and_no_copy_lies_on_the_disk(tmp_path, ending):
    target, pictures = tmp_path / f"a{ending}", bands()
    with writing(target, KIND, Metadata(), quality=None) as writer:
        for band in pictures:
            writer.write(band)
            beside = [path for path in tmp_path.iterdir() if path.stat().st_size > KIND.width * KIND.height]
            assert ending == ".tif" or not beside
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    made = np.asarray(Image.open(target).convert("RGB")).astype(int)
    assert np.abs(made - np.concatenate(pictures)).max() <= (0 if ending == ".tif" else 4)


def test_an_encoder_that_fails_early_stops_the_rows(tmp_path, monkeypatch):
    def fails(*given):
        raise ValueError("no room for this picture")

    monkeypatch.setattr(encoders, "_save_jpeg", fails)
    written = 0
    said = r"a.jpg: jpeg cannot be written \(no room for this picture\)"
    with pytest.raises(ImageError, match=said), writing(tmp_path / "a.jpg", KIND, Metadata()) as writer:
        for band in bands():
            writer.write(band)
            written += 1
    assert written < KIND.height // BAND and not list(tmp_path.iterdir())


def test_what_goes_wrong_before_the_last_row_leaves_nothing_and_is_said(tmp_path):
    with pytest.raises(ZeroDivisionError), writing(tmp_path / "a.jpg", KIND, Metadata()) as writer:
        writer.write(bands()[0])
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="250 rows were written"), writing(tmp_path / "a.jpg", KIND, Metadata()) as writer:
        writer.write(bands()[0])
    assert not list(tmp_path.iterdir())


def test_a_signal_just_as_the_encoder_begins_does_not_leave_it_waiting(tmp_path, monkeypatch):
    """A stop that came between the start of its thread and the first row left a command that nothing ended."""

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *arguments, **options):
            super().submit(*arguments, **options)
            raise KeyboardInterrupt

    monkeypatch.setattr(encoders, "ThreadPoolExecutor", Interrupted)
    stopped = []

    def writes():
        try:
            with writing(tmp_path / "a.tif", KIND, Metadata()):
                raise AssertionError("the interruption came before")
        except KeyboardInterrupt:
            stopped.append(True)

    thread = threading.Thread(target=writes, daemon=True)
    thread.start()
    thread.join(60)
    assert stopped and not list(tmp_path.iterdir())
