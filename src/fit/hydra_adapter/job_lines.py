"""Log lines in the terminal: in a sweep they begin with the job's number, as several jobs may print at once."""

import logging

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode


class JobLines(logging.Formatter):
    """Formats a message for the terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the message, in a sweep with the job's number on each line."""
        text = super().format(record)
        if not HydraConfig.initialized() or HydraConfig.get().mode != RunMode.MULTIRUN:
            return text
        number = HydraConfig.get().job.num
        return "\n".join(f"[{number}] {line}".rstrip() for line in text.split("\n"))
