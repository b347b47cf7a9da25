"""Processes that are started, killed, stopped and started again, each in a network of its own; all end with this program."""
import ctypes
import os
import pathlib
import signal
import struct
import subprocess
import time

LIBC = ctypes.CDLL(None, use_errno=True)
PR_SET_PDEATHSIG = 1


def die_with_parent():
    """Whoever is left over would hold ports and files."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program that can be started again with the same arguments."""

    def __init__(self, argv, log, space=None, environment=None):
        self.argv, self.log, self.space = argv, pathlib.Path(log), space
        self.environment = {**os.environ, **(environment or {})}
        self.child = None
        self.start()

    def start(self):
        inside = ["nsenter", "--target", str(self.space), "--net", "--"] if self.space else []
        # exec in one process: the pid is the program's own.
        with self.log.open("ab") as log:
            self.child = subprocess.Popen(inside + self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          env=self.environment, preexec_fn=die_with_parent)

    def signal(self, number):
        if self.child.poll() is None:
            self.child.send_signal(number)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.child.wait()

    def restart(self):
        self.kill()
        self.start()

    def stop(self):
        self.signal(signal.SIGSTOP)

    def go_on(self):
        self.signal(signal.SIGCONT)


class Wishes:
    """The file that shim.c reads."""

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.path.write_bytes(bytes(16))

    def set(self, seconds=0, microseconds=0):
        with self.path.open("r+b") as file:
            file.write(struct.pack("<qq", seconds, microseconds))


def wait_until(what, test, seconds=20):
    """Waits until the test says yes, or says what never came."""
    end = time.monotonic() + seconds
    while not test():
        if time.monotonic() > end:
            raise SystemExit(f"error: {what}: not within {seconds} s")
        time.sleep(0.05)


def run(*argv, **more):
    """Runs a command that must succeed, and gives what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, **more)
    if done.returncode:
        raise SystemExit(f"error: {' '.join(map(str, argv))}: {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout
