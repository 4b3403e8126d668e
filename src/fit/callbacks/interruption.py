"""Ctrl-C and SIGTERM as a wish to stop after this pass, with everything saved."""

import signal
import threading
from types import FrameType

from lightning.pytorch import Callback, LightningModule, Trainer


class Interruption(Callback):
    """While fitting, a first signal asks to stop and a second stops at once; calling it tells whether one came."""

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        """Start with no signal."""
        self.received: int | None = None
        self._before: list[tuple[signal.Signals, object]] = []

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over the signals, after Lightning did; only a main thread can."""
        if threading.current_thread() is threading.main_thread():
            self._before = [(each, signal.signal(each, self._receive)) for each in self.signals]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Give the signals back."""
        for each, handler in self._before:
            signal.signal(each, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the second time, stop at once."""
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
