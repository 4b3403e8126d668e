"""Dates and times of a table as numbers of years, so that they can be inputs."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# Both patterns may have a time, and a time may have a zone.
TIME = r"(?:[T ](?P<time>\d{1,2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?) ?(?P<zone>Z|[+-]\d{2}:?\d{2})?)?"
DATE_PATTERNS = (
    r"^\s*(?P<year>\d{4})[-/](?P<month>\d{1,2})(?:[-/](?P<day>\d{1,2})" + TIME + r")?\s*$",
    r"^\s*(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})" + TIME + r"\s*$",
)


def is_moment(kind: pa.DataType) -> bool:
    """Whether cells are dates, with or without times."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def read_dates(cells: pa.Array) -> pa.Array | None:
    """Convert cells to years in UTC, null where there is no value; return None if a cell is not a date."""
    if is_moment(cells.type):
        return to_years(cells)
    moments = pa.nulls(len(cells), pa.timestamp("us", "UTC"))
    for pattern in DATE_PATTERNS:
        try:
            moments = pc.coalesce(moments, normalize_dates(cells, pattern).cast(moments.type))
        except pa.ArrowInvalid:  # such as the 31st of February
            return None
        if moments.null_count == cells.null_count:
            return to_years(moments)
    return None


def years_of(values: np.ndarray) -> np.ndarray | None:
    """Return the years `[rows]` of an array of dates or of text; None if some of it is not a date."""
    try:
        given = values.astype("datetime64[us]") if values.dtype.kind == "M" else values.tolist()
        cells = pa.array(given, from_pandas=True)
    except pa.ArrowException:
        return None
    years = read_dates(cells) if is_moment(cells.type) or pa.types.is_string(cells.type) else None
    return None if years is None or years.null_count else np.asarray(years)


def normalize_dates(cells: pa.Array, pattern: str) -> pa.Array:
    """Rewrite dates that match a pattern as `YEAR-MONTH-DAY HOUR:MINUTEZONE`; others are null."""
    parts = pc.extract_regex(cells, pattern)
    year, month, day, time, zone = (pc.struct_field(parts, name) for name in ("year", "month", "day", "time", "zone"))
    day, time, zone = (
        pc.if_else(pc.equal(part, ""), default, part) for part, default in ((day, "1"), (time, "0:00"), (zone, "Z"))
    )
    date = pc.binary_join_element_wise(year, pc.utf8_lpad(month, 2, "0"), pc.utf8_lpad(day, 2, "0"), "-")
    # The hour may have one digit.
    hour = pc.if_else(pc.match_substring_regex(time, r"^\d:"), pc.binary_join_element_wise("0", time, ""), time)
    return pc.binary_join_element_wise(date, " ", hour, zone, "")


def to_years(moments: pa.Array) -> pa.Array:
    """Convert dates and times to years."""
    moment = np.asarray(moments.cast(pa.timestamp("us")).to_numpy(zero_copy_only=False)).astype("datetime64[us]")
    year = moment.astype("datetime64[Y]")
    begin, end = year.astype("datetime64[us]"), (year + 1).astype("datetime64[us]")
    return pa.array(year.astype(np.float64) + 1970 + (moment - begin) / (end - begin), from_pandas=True)
