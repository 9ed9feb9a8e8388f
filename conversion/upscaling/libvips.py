"""`pyvips` without its log handler, under which damaged photos could abort the process: import it from here.

pyvips passes libvips' warnings on to Python's logging. Python may then collect garbage, a photo among it that libvips warns of once
more, and GLib aborts on a warning within a warning (found by fuzzing, one in thousands of damaged JPEGs).
"""

import os

os.environ.setdefault("VIPS_WARNING", "1")  # libvips drops its warnings; what matters comes as errors

import pyvips  # noqa: E402

pyvips._remove_log_handler()


def _error_text(error: pyvips.Error, message: str, detail: str | None = None) -> None:
    """What `pyvips.Error` does, for a text of any bytes."""
    error.message, error.detail = message, detail
    if not detail:
        said = pyvips.ffi.string(pyvips.vips_lib.vips_error_buffer())
        error.detail = said.decode(errors="replace")
        pyvips.vips_lib.vips_error_clear()


pyvips.Error.__init__ = _error_text

__all__ = ["pyvips"]
