"""The file systems that are compared: how each is mounted over lower folders, and unmounted again.

Every one is a daemon in the foreground, or none: its process is known, and so is its memory.
"""

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from measure import ENVIRONMENT, Wrong

OPEN_TO_ALL = "allow_other,default_permissions,suid,dev"


def native(_lowers, _scratch, _mountpoint):
    """No file system at all: the lower folder itself."""
    return None


def kernel(lowers, scratch, mountpoint, more=""):
    upper, work = folders(scratch, "upper", "work")
    options = f"lowerdir={joined(lowers)},upperdir={upper},workdir={work}{more}"
    return ["mount", "-t", "overlay", "-o", options, "overlay", str(mountpoint)]


def kernel_volatile(lowers, scratch, mountpoint):
    return kernel(lowers, scratch, mountpoint, ",volatile")


def fuse_overlayfs(lowers, scratch, mountpoint):
    upper, work = folders(scratch, "upper", "work")
    options = f"lowerdir={joined(lowers)},upperdir={upper},workdir={work},{OPEN_TO_ALL}"
    return ["fuse-overlayfs", "-f", "-o", options, str(mountpoint)]


def unionfs(lowers, scratch, mountpoint):
    upper, = folders(scratch, "upper")
    branches = ":".join([f"{upper}=RW", *[f"{lower}=RO" for lower in lowers]])
    return ["unionfs", "-f", "-o", f"cow,{OPEN_TO_ALL}", branches, str(mountpoint)]


def ours(lowers, scratch, mountpoint, more=""):
    """As disco's sandbox uses it: nothing in a scratchpad needs to survive the machine."""
    upper, work = folders(scratch, "upper", "work")
    options = f"lowerdir={joined(lowers)},upperdir={upper},workdir={work},volatile{more}"
    return [str(BUILT / "disco-overlayfs"), "-f", "-o", options, str(mountpoint)]


def ours_gathered(lowers, scratch, mountpoint):
    return ours(lowers, scratch, mountpoint, ",writeback")


BUILT = Path(__file__).resolve().parents[2] / "target/release"


@dataclass(frozen=True)
class System:
    name: str
    title: str
    command: object
    # Whether it has a process that serves it.
    daemon: bool
    # Whether it differs from the one before it only when it writes.
    writes_only: bool = False


SYSTEMS = [
    System("native", "native", native, False),
    System("kernel", "kernel overlayfs", kernel, False),
    System("kernel-volatile", "kernel overlayfs, volatile", kernel_volatile, False, writes_only=True),
    System("fuse-overlayfs", "fuse-overlayfs", fuse_overlayfs, True),
    System("unionfs-fuse", "unionfs-fuse", unionfs, True),
    System("ours", "disco", ours, True),
    System("ours-writeback", "disco, writeback", ours_gathered, True, writes_only=True),
]


def joined(lowers):
    return ":".join(str(lower) for lower in lowers)


def folders(scratch, *names):
    made = [scratch / name for name in names]
    for folder in made:
        folder.mkdir()
    return made


class Mounted:
    """A file system over lower folders, at `path`, until it is closed."""

    def __init__(self, system, lowers, scratch, mountpoint):
        self.system, self.daemon = system, None
        self.log = Path(f"{scratch}.log")
        scratch.mkdir()
        command = system.command(lowers, scratch, mountpoint)
        self.path = mountpoint if command else lowers[0]
        if not command:
            return
        with open(self.log, "wb") as log:
            started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=ENVIRONMENT)
        if system.daemon:
            self.daemon = started
        elif started.wait():
            raise Wrong(f"{system.name} does not mount: {self.said()}")
        try:
            self.wait()
        except (Wrong, OSError) as error:
            self.end()
            self.close()
            raise Wrong(f"{system.name} does not mount: {error}: {self.said()}") from error

    def wait(self):
        """Waits for the mount, and for its first answer."""
        until = time.monotonic() + 30
        while not is_mounted(self.path):
            if self.daemon and self.daemon.poll() is not None:
                raise Wrong(f"exit status {self.daemon.returncode}")
            if time.monotonic() > until:
                raise Wrong("not within 30 seconds")
            time.sleep(0.005)
        self.path.stat()

    def said(self):
        return self.log.read_text(errors="replace")[-1000:].strip()

    def peak(self):
        """The most memory that the daemon has had, in KiB; none without a daemon."""
        if not self.daemon:
            return None
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))

    def end(self):
        """Ends the daemon, so that whoever waits for it gets an error."""
        if self.daemon:
            self.daemon.kill()
            self.daemon.wait()

    def close(self):
        """Unmounts, and waits for the daemon's end."""
        if self.system.command is native or not is_mounted(self.path):
            return
        unmount(self.path)
        if self.daemon:
            try:
                self.daemon.wait(60)
            except subprocess.TimeoutExpired:
                self.end()
                raise Wrong(f"{self.system.name} does not end when it is unmounted: {self.said()}") from None


def is_mounted(path):
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    return any(line.split()[4] == str(path) for line in mounts)


def unmount(path):
    """Unmounts; a file system whose last user has just ended may be busy for a moment."""
    for _ in range(100):
        done = subprocess.run(["umount", str(path)], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        time.sleep(0.05)
    raise Wrong(f"cannot unmount {path}: {done.stderr.strip()}")
