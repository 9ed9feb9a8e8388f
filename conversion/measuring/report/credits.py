"""Whose the shown photos are: author and licence from a table that lies with the photos."""

import csv
from dataclasses import dataclass
from pathlib import Path

from keras_models.system.errors import ImageError

COLUMNS = ("author", "licence", "source")


@dataclass(frozen=True)
class Credit:
    """What the table says of one photo, "" where it says nothing."""

    author: str
    licence: str
    source: str

    def as_text(self) -> str:
        """One line."""
        return " · ".join(filter(None, (self.author, self.licence, self.source)))


def read_credits(data: str | Path) -> dict[str, Credit]:
    """Reads FOLDER/credits.csv, or FOLDER.csv beside the folder.

    Args:
        data: a folder of photos.

    Returns:
        Photo's name without its ending -> credit; {} if there is no such table (a table needs a column "file" and one of `COLUMNS`).

    Raises:
        ImageError: the table cannot be read.
    """
    folder = Path(data).resolve()
    for table in (folder / "credits.csv", folder.with_name(f"{folder.name}.csv")):
        if table.is_file():
            return _read(table)
    return {}


def _read(table: Path) -> dict[str, Credit]:
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        raise ImageError(f"{table}: not a readable table of credits ({error}): save it as CSV in UTF-8, or move it away") from None
    if not rows or "file" not in rows[0] or not set(COLUMNS) & rows[0].keys():
        return {}
    return {Path(row["file"] or "").stem: Credit(*((row.get(column) or "").strip() for column in COLUMNS)) for row in rows}
