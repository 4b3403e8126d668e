"""A look at a table before anything heavy is imported: most of what is wrong with one stands in its first rows."""

from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

from fit.data.table_text import Text


def look(data: DictConfig) -> None:
    """Raise FitError for a column that there is not, or that begins with something else than numbers.

    `data` are the settings of any data set; only those of a table are looked at. What its later rows hold is found when
    it is read.
    """
    if data._target_ != "fit.data.table.Table" or not Path(data.path).is_file():
        return
    from fit.data.table_file import TableFile
    from fit.data.table_rows import HINT

    file = TableFile(data.path, Text(data.separator, data.header, data.decimal, data.encoding))
    inputs, targets = names(data.inputs), names(data.targets)
    file.check(inputs, "data.inputs: ")
    file.check(targets, "data.targets: ")
    numeric = [name for name in dict.fromkeys([*inputs, *targets]) if name not in names(data.categorical)]
    if not numeric:
        return
    for first, batch in file.batches(numeric):
        for name in numeric:
            file.numbers(batch.column(name), name, first, HINT)
        if len(batch):
            return


def names(given: Sequence[object]) -> list[str]:
    """Return columns as the file names them: a number may be a name."""
    return [str(name) for name in given]
