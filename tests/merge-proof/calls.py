"""The system calls of a command, and one of them made to fail or to be the last; by strace."""
import re
from collections import Counter
from dataclasses import dataclass

# What changes something, or makes it last.
CHANGING = """mkdir mkdirat link linkat symlink symlinkat mknod mknodat rename renameat renameat2 unlink unlinkat rmdir chown
fchown lchown fchownat chmod fchmod fchmodat fchmodat2 setxattr lsetxattr fsetxattr setxattrat removexattr lremovexattr
fremovexattr removexattrat utimensat truncate ftruncate fallocate write writev pwrite64 pwritev copy_file_range sendfile
fsync fdatasync syncfs sync flock mount umount2 ioctl open openat openat2 creat""".split()
# What only looks, and can fail.
LOOKING = """read pread64 readv getdents64 stat lstat fstat newfstatat statx statfs fstatfs readlink readlinkat access faccessat
faccessat2 getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr""".split()
# Those among them that change something by some arguments alone.
BY_ARGUMENT = {
    "open": r"O_CREAT|O_TRUNC|O_TMPFILE", "openat": r"O_CREAT|O_TRUNC|O_TMPFILE", "openat2": r"O_CREAT|O_TRUNC|O_TMPFILE",
    "ioctl": r"FICLONE|FS_IOC_SETFLAGS|FS_IOC_FSSETXATTR",
}
LINE = re.compile(r"^(?:(?P<pid>\d+) +)?(?P<name>\w+)\((?P<rest>.*)")


@dataclass(frozen=True)
class Call:
    """The `at`th call of that name of a process, and what it was asked."""

    name: str
    at: int
    text: str
    changes: bool

    def __str__(self):
        return f"{self.name} {self.at}"


def trace(names, *more):
    """What a command is started by whose calls of these names are to be written down or tampered with."""
    return ["strace", "--follow-forks", "--quiet=all", "-s", "200", "--trace=" + ",".join(f"?{name}" for name in names), *more]


def parse(log, since):
    """The calls of a log, those before the first that has the text `since` apart."""
    counts, calls, begun = Counter(), [], False
    for line in log.splitlines():
        found = LINE.match(line)
        # What was interrupted by another process comes twice; its second half is no call.
        if not found or "resumed>" in line.partition("(")[0]:
            continue
        name, text = found["name"], found["rest"]
        counts[found["pid"], name] += 1
        begun = begun or since in text
        if begun:
            wanted = BY_ARGUMENT.get(name)
            changes = name in CHANGING and (wanted is None or re.search(wanted, text) is not None)
            calls.append(Call(name, counts[found["pid"], name], text, changes))
    return calls


def of(node, names, *argv, since="/var/disco"):
    """The calls of these names that disco makes for `argv`, from the first on that is about its home."""
    log = node.root.with_suffix(".strace")
    done = node.disco(*argv, before=trace(names, "--seccomp-bpf", f"--output={log}"))
    if done.returncode:
        raise RuntimeError(f"{argv}: {done.returncode}: {done.stdout}{done.stderr}")
    return distinct(parse(log.read_text(errors="replace"), since))


def distinct(calls):
    """strace counts by process: one tampering meets the first that makes so many calls."""
    return list({(call.name, call.at): call for call in calls}.values())


def killing(call):
    """What disco is started by to be killed when it makes the call, which is not made then. (With
    --seccomp-bpf strace stops it where no signal can be sent.)"""
    return trace([call.name], "--output=/dev/null", f"--inject={call.name}:signal=KILL:when={call.at}")


def failing(call, error):
    """What disco is started by for the call to fail."""
    return trace([call.name], "--seccomp-bpf", "--output=/dev/null", f"--inject={call.name}:error={error}:when={call.at}")


def spread(items, count):
    """So many of them at most, evenly, the first and the last among them."""
    items = list(items)
    if not count or len(items) <= count:
        return items
    return [items[at * (len(items) - 1) // max(count - 1, 1)] for at in range(count)]


def was_killed(done):
    """strace ends as what it traced did."""
    return done.returncode in (-9, 137)


