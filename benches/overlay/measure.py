"""One command, run to its end, and what it took; and the way in which everything here fails."""

import hashlib
import os
import signal
import subprocess
import threading
import time

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C", "TERM": "dumb", "USER": "root", "DEBIAN_FRONTEND": "noninteractive"}


class Wrong(Exception):
    """A file system gave a wrong result, or none: its figure is not one."""


class Over(Exception):
    """A command was ended at its limit."""


def plain(*argv, **more):
    """Runs a command that is not measured, and returns what it prints. Its failure is ours."""
    done = subprocess.run([str(word) for word in argv], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          env=ENVIRONMENT, check=False, **more)
    if done.returncode:
        raise Wrong(f"{' '.join(str(word) for word in argv)[:200]}: exit status {done.returncode}: {done.stderr[-500:]}")
    return done.stdout


def seconds(argv, output, errors, limit, release):
    """Runs a command and returns its wall seconds. `release` is called at the limit: a client that waits for a file
    system cannot be killed before the file system ends."""
    over = threading.Event()
    with open(output, "wb") as out, open(errors, "wb") as err:
        started = time.perf_counter()
        child = subprocess.Popen([str(word) for word in argv], stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                 env=ENVIRONMENT, start_new_session=True)

        def end():
            over.set()
            os.killpg(child.pid, signal.SIGKILL)
            release()

        timer = threading.Timer(limit, end)
        timer.start()
        status = child.wait()
        wall = time.perf_counter() - started
        timer.cancel()
        timer.join()
    if over.is_set():
        raise Over(f"ended after {limit} s")
    if status:
        with open(errors, encoding="utf-8", errors="replace") as said:
            raise Wrong(f"exit status {status}: {said.read()[-500:].strip()}")
    return wall


def lines(path):
    """The number of lines of a file."""
    with open(path, "rb") as text:
        return sum(block.count(b"\n") for block in iter(lambda: text.read(1 << 20), b""))


def files_below(folder):
    """The number of files below a folder, and the sum of their sizes."""
    count = size = 0
    for path, _, names in os.walk(folder, onerror=raise_it):
        count += len(names)
        size += sum(os.lstat(os.path.join(path, name)).st_size for name in names)
    return count, size


def fingerprint(folder):
    """A sum over everything that a change of a tree would change: also the times that nobody can set."""
    total = hashlib.sha256()
    for path, folders, names in os.walk(folder, onerror=raise_it):
        folders.sort()
        for name in sorted([".", *folders, *names]):
            found = os.lstat(os.path.join(path, name))
            total.update(repr((path, name, found.st_ino, found.st_mode, found.st_uid, found.st_nlink, found.st_size,
                               found.st_mtime_ns, found.st_ctime_ns)).encode())
    return total.hexdigest()


def raise_it(error):
    raise error
