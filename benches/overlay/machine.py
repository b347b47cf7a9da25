"""What the figures depend on: the machine, its kernel, and the versions of what is compared."""

import os
import platform
import re
import subprocess
import sys
import time
from pathlib import Path


def facts(wanted, pool):
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "built": wanted.built,
        "cores": len(os.sched_getaffinity(0)),
        "processor": model.group(1) if model else platform.machine(),
        "memory_gib": round(int(memory.group(1)) / 1024**2),
        "kernel": platform.release(),
        "system": release["PRETTY_NAME"].strip('"'),
        "root": root_type(),
        "on": pool.kind,
        "versions": {"fuse-overlayfs": version("fuse-overlayfs", r"fuse-overlayfs: version (\S+)"),
                     "unionfs-fuse": version("unionfs", r"unionfs-fuse version: (\S+)")},
        "load_before": os.getloadavg()[0],
        "repeat": wanted.repeat,
        "budget": wanted.budget,
    }


# More load than this on each core, and figures are of whatever else runs.
CALM = 0.35


def wait_for_calm(seconds=300):
    """Waits until the average load of the last minute, which what has ended still weighs on, is low; not for ever."""
    until = time.monotonic() + seconds
    while os.getloadavg()[0] > CALM * os.cpu_count() and time.monotonic() < until:
        print("waiting for the load to go down\r", end="", file=sys.stderr)
        time.sleep(5)


def root_type():
    mounts = [line.split() for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return next(words[words.index("-") + 1] for words in mounts if words[4] == "/")


def version(program, pattern):
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    found = re.search(pattern, said.stdout + said.stderr)
    return found.group(1) if found else "of unknown version"


def free():
    """The memory that is available, in bytes."""
    return int(re.search(r"MemAvailable:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) * 1024
