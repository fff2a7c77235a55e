# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
"""One at a time, on the whole machine: what loads programs into the kernel.

While a CPU is in a bpf(2) call for one ktap, the kernel skips the perf tracepoints of another there, and exact counts would not be.
"""
import contextlib
import fcntl
import os
import tempfile

PATH = os.path.join(tempfile.gettempdir(), "ktap-tests.lock")


@contextlib.contextmanager
def exclusive():
    with open(PATH, "a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
