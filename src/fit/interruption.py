"""Ctrl-C and SIGTERM as requests to stop after the current pass, with everything saved."""

import signal
import threading
from types import FrameType
from typing import Self


class StopNow(BaseException):
    """A second signal: stop at once. Not an Exception, so that no handler of errors catches it."""


class Interruption:
    """A context in which a first signal requests a stop and a second stops at once; call it to see whether one came."""

    signals = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        """Start without a signal."""
        self.received: int | None = None

    def __call__(self) -> bool:
        """Whether a signal came."""
        return self.received is not None

    @property
    def exit_code(self) -> int:
        """The conventional exit code of a process that a signal ended; 0 if none came."""
        return 0 if self.received is None else 128 + self.received

    def __enter__(self) -> Self:
        """Handle the signals."""
        self._before = [(each, signal.getsignal(each)) for each in self.signals]
        self.install_handlers()
        return self

    def __exit__(self, *exception: object) -> None:
        """Restore the previous handlers."""
        if threading.current_thread() is threading.main_thread():
            for each, handler in self._before:
                signal.signal(each, handler)

    def install_handlers(self) -> None:
        """Install the handlers, which only the main thread can."""
        if threading.current_thread() is threading.main_thread():
            for each in self.signals:
                signal.signal(each, self._receive)

    def _receive(self, number: int, frame: FrameType | None) -> None:
        """Record a signal; stop at once at the second one."""
        if self.received is not None:
            raise StopNow
        self.received = number
