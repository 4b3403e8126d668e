"""Ctrl-C and SIGTERM as a wish to stop after this pass, with everything saved."""

import signal
import threading
from types import FrameType
from typing import Self


class StopNow(BaseException):
    """A second signal: stop at once. Not an Exception, so that nothing on the way takes it for an error."""


class Interruption:
    """While entered, a first signal asks to stop and a second stops at once; calling it tells whether one came."""

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        """Start with no signal."""
        self.received: int | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended; 0 if none came."""
        return 0 if self.received is None else 128 + self.received

    def __enter__(self) -> Self:
        """Take over the signals."""
        self._before = [(each, signal.getsignal(each)) for each in self.signals]
        self.install_handlers()
        return self

    def __exit__(self, *exception: object) -> None:
        """Give the signals back."""
        if threading.current_thread() is threading.main_thread():
            for each, handler in self._before:
                signal.signal(each, handler)

    def install_handlers(self) -> None:
        """Handle the signals from now on; only a main thread can."""
        if threading.current_thread() is threading.main_thread():
            for each in self.signals:
                signal.signal(each, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Note a signal; the second time, stop at once."""
        if self.received is not None:
            raise StopNow
        self.received = number
