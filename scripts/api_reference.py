"""The reference of the Python API as web pages, made from the docstrings; what pdoc warns of is an error.

python scripts/api_reference.py FOLDER
"""

import warnings
from pathlib import Path

from script import run


def main(folder: Path) -> None:
    """Writes one page a package: its public names, no submodules."""
    from keras_models.system.quiet import import_keras

    import_keras()
    import pdoc

    import conversion
    import keras_models

    for package in (keras_models, conversion):
        for name in package.__all__:  # pdoc looks into the module, where names that are imported at first use are not yet
            setattr(package, name, getattr(package, name))
    folder.mkdir(parents=True, exist_ok=True)
    pdoc.render.configure(docformat="google", include_undocumented=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", module="pdoc")
        pdoc.pdoc("keras_models", "conversion", r"!keras_models\..+", r"!conversion\..+", output_directory=folder)


if __name__ == "__main__":
    run(main, __doc__)
