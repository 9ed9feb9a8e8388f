"""Bicubic's recorded scores, and SSIM against scikit-image."""

import numpy as np
import pytest

from keras_models.data.bicubic import crop_to_multiple, enlarge
from keras_models.data.read_rgb import read_rgb
from keras_models.metrics import luma, measure, psnr_rgb, psnr_y, ssim_y, to_uint8
from keras_models.system.errors import ImageError

BICUBIC = {("Set5", 2): 33.68, ("Set5", 3): 30.41, ("Set5", 4): 28.43, ("Set14", 2): 30.33, ("Set14", 3): 27.64, ("Set14", 4): 26.09}


def noise(seed, shape=(40, 36, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(("name", "scale"), BICUBIC)
def test_bicubic_scores(name, scale, shared):
    """As recorded with BasicSR's metrics on these files.

    Papers print 33.66, 30.39, 28.42 on Set5 and, of pictures that were cut otherwise, 30.24, 27.55, 26.00 on Set14.
    """
    scores = []
    for path in sorted((shared / "data" / name / f"LRx{scale}").glob("*.png")):
        low = read_rgb(path)
        high = crop_to_multiple(read_rgb(shared / "data" / name / "HR" / path.name), scale)
        scores.append(psnr_y(enlarge(low, scale), high, scale))
    assert np.mean(scores) == pytest.approx(BICUBIC[name, scale], abs=0.006)


def test_ssim_agrees_with_scikit_image():
    from skimage import metrics

    truth = noise(0)
    result = (truth * 0.8 + noise(1) * 0.2).astype(np.uint8)
    _, full = metrics.structural_similarity(
        luma(truth).astype(np.float64),
        luma(result).astype(np.float64),
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        full=True,
    )
    assert ssim_y(result, truth, 0) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-9)


def test_ssim_by_its_definition_at_one_window():
    """An 11x11 picture has one window: the formula of Wang et al. written out."""
    truth, result = noise(2, (11, 11, 3)), noise(3, (11, 11, 3))
    x, y = luma(truth).astype(np.float64), luma(result).astype(np.float64)
    line = np.exp(-((np.arange(11) - 5.0) ** 2) / 4.5)
    w = np.outer(line, line) / line.sum() ** 2
    mx, my = (w * x).sum(), (w * y).sum()
    vx, vy, cov = (w * (x - mx) ** 2).sum(), (w * (y - my) ** 2).sum(), (w * (x - mx) * (y - my)).sum()
    c1, c2 = 2.55**2, 7.65**2
    expected = (2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))
    assert ssim_y(result, truth, 0) == pytest.approx(expected, abs=1e-10)


def test_luma_spans_16_to_235():
    ends = luma(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8))
    np.testing.assert_allclose(ends, [[16, 235]], atol=1e-4)


def test_psnr_of_a_known_error_and_of_equal_pictures():
    truth = np.full((20, 20, 3), 100, np.uint8)
    assert psnr_rgb(truth + np.uint8(5), truth, 2) == pytest.approx(20 * np.log10(255 / 5))
    assert psnr_y(truth, truth, 2) == float("inf")
    assert measure(truth, truth, 2).ssim_y == pytest.approx(1)


def test_outputs_are_rounded_half_to_even_and_clipped():
    assert to_uint8(np.array([-0.1, 0.5 / 255, 1.5 / 255, 1.2], np.float32)).tolist() == [0, 0, 2, 255]


@pytest.mark.parametrize(
    ("result", "truth", "scale"),
    [
        (noise(0), noise(0, (40, 35, 3)), 2),
        (noise(0).astype(np.float32), noise(0), 2),
        (noise(0, (8, 8, 3)), noise(1, (8, 8, 3)), 4),
        (noise(0, (14, 30, 3)), noise(1, (14, 30, 3)), 2),
    ],
)
def test_pictures_that_cannot_be_compared_are_one_line(result, truth, scale):
    with pytest.raises(ImageError, match="^[^\n]+: [^\n]+$"):
        measure(result, truth, scale)
