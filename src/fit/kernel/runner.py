"""Running the kernel's tasks by several threads; the interpreter's lock is let go of meanwhile."""

import threading
from ctypes import addressof, byref, create_string_buffer

from fit.kernel.library import load_library
from fit.kernel.task import Task


class Runner:
    """Runs tasks, in memory that is kept from one to the next."""

    def __init__(self, double: bool) -> None:
        """Load the kernel in single or double precision; raise KernelError where it cannot be had."""
        self._library = load_library(double)
        self._arena = create_string_buffer(0)

    def run(self, task: Task, workers: int) -> None:
        """Have so many threads, this one among them, do a task together."""
        task.next = task.arrived = task.turn = 0
        task.arena_bytes = self._library.needed(byref(task), workers)
        if len(self._arena) < (needed := task.arena_bytes * workers):
            self._arena = create_string_buffer(needed)
        task.arena = addressof(self._arena)
        others: list[threading.Thread] = []
        complete = threading.Event()

        def work(worker: int) -> None:
            complete.wait()
            self._library.train(byref(task), worker, len(others) + 1)

        for worker in range(1, workers):
            thread = threading.Thread(target=work, args=(worker,))
            try:
                thread.start()
            except RuntimeError:  # there are too many already: fewer do as well
                break
            others.append(thread)
        complete.set()
        try:
            self._library.train(byref(task), 0, len(others) + 1)
        finally:
            for each in others:
                each.join()
