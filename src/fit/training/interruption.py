"""Ctrl-C and SIGTERM as a wish to stop after this pass, with everything saved."""

import signal
import threading
from types import FrameType
from typing import Self


class Interruption:
    """While entered, a first signal asks to stop and a second stops at once."""

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        """Start with no signal."""
        self.received: int | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    def __enter__(self) -> Self:
        """Take over the signals, which only a main thread can."""
        self._handlers = {}
        if threading.current_thread() is threading.main_thread():
            self._handlers = {each: signal.signal(each, self._receive) for each in self.signals}
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the signals back."""
        for each, handler in self._handlers.items():
            signal.signal(each, handler)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the second time, stop at once."""
        if self.received is not None:
            raise KeyboardInterrupt
        self.received = number
