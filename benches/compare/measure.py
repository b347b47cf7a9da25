"""One command, run to its end, and what it cost. Memory is taken in runs of their own: looking at it takes time."""

import os
import signal
import subprocess
import tempfile
import threading
import time

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root",
               "LC_ALL": "C.UTF-8", "TERM": "dumb", "USER": "root", "NO_COLOR": "1"}


def run(argv, limit, output, environment=None):
    """Runs a command with its output in a file. Returns wall and CPU seconds (its own and those of all that it waited
    for), its exit status, and whether it was ended at the limit."""
    over = threading.Event()
    with open(output, "wb") as out:
        child = None

        def end():
            over.set()
            end_with_children(child.pid)

        timer = threading.Timer(limit, end)
        started = time.perf_counter()
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                 env=ENVIRONMENT | (environment or {}), start_new_session=True)
        timer.start()
        # Of this child, not the totals of all children: those can only grow.
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - started
        timer.cancel()
    child.returncode = os.waitstatus_to_exitcode(status)
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "status": child.returncode, "over": over.is_set()}


def memory(argv, limit, output, environment=None):
    """Runs a command once more. Returns KiB: `largest`, the peak of its largest process, and `together`, the largest sum
    over all its processes at one time, shared pages counted once (PSS), looked at every few milliseconds."""
    # A child's peak counts the memory of the program that forked it, and this one is large: time(1) is small.
    with tempfile.NamedTemporaryFile("r") as said:
        sampler = Sampler()
        sampler.start()
        done = run(["/usr/bin/time", "--quiet", "-f", "%M", "-o", said.name, *argv], limit, output, environment)
        together = sampler.stop()
        largest = said.read().split()
    if done["over"] or not largest:
        return None
    # A process that ends between two looks is seen by time(1) alone.
    return {"largest": int(largest[-1]), "together": max(together, int(largest[-1]))}


class Sampler(threading.Thread):
    """Looks at the memory of everything that the child of this process starts."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ended = threading.Event()
        self.most = 0

    def run(self):
        while not self.ended.wait(0.004):
            parents = children()
            # The child itself is time(1), and this very program until that has started.
            below = descendants(os.getpid(), parents) - set(parents.get(os.getpid(), []))
            self.most = max(self.most, sum(pss(pid) for pid in below))

    def stop(self):
        self.ended.set()
        self.join()
        return self.most


def children():
    """The pids of the children of every process that has some."""
    found = {}
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{int(name)}/stat", encoding="latin-1") as stat:
                parent = int(stat.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue  # it has ended, or is no process
        found.setdefault(parent, []).append(int(name))
    return found


def descendants(top, parents):
    """The pids of all that a process has started, directly or not."""
    found, open_ = set(), [top]
    while open_:
        for pid in parents.get(open_.pop(), []):
            found.add(pid)
            open_.append(pid)
    return found


def pss(pid):
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
            return next((int(line.split()[1]) for line in rollup if line.startswith("Pss:")), 0)
    except OSError:
        return 0  # it has ended


def end_with_children(pid):
    """Kills a process and all that it has started."""
    for one in [*descendants(pid, children()), pid]:
        try:
            os.kill(one, signal.SIGKILL)
        except ProcessLookupError:
            pass
