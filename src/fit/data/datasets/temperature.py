"""A thermometer in unknown units (article A3)."""

from dataclasses import dataclass
from typing import ClassVar

from fit.data.dataset import DataSet, Rows, read_columns, uniform


@dataclass(frozen=True, kw_only=True)
class Temperature(DataSet):
    """Eleven readings in degrees Fahrenheit and Celsius, with their reading errors."""

    input_names = ("°F",)
    target_names = ("°C",)
    axes: ClassVar = {"°F": "Temperature (°Fahrenheit)", "°C": "Temperature (°Celsius)"}

    def rows(self) -> Rows:
        """Return the readings."""
        table = read_columns("temperature.csv")
        return Rows(table[:, :1], table[:, 1:])

    def fresh(self) -> dict[str, Rows]:
        """Return temperatures of the same range, converted by definition: °C = (°F - 32) · 5/9."""
        fahrenheit = uniform(21.8, 81.9, 200, 1, self.generator(1)).sort(0).values
        return {"val": Rows(fahrenheit, (fahrenheit - 32) * 5 / 9)}
