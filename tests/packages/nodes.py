"""A node that is forgotten when it ends (scripts/throwaway-root), over a minimal Debian, and what is in its tree."""
import hashlib
import os
import pathlib
import stat
import subprocess
import tempfile

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
    "SHELL": "/bin/bash",
    "LC_ALL": "C.UTF-8",
}
# No part of a node's own state, or not seen from both sides.
APART = {"/proc", "/sys", "/dev", "/tmp", "/var/disco", "/srv/shared"}


class Node:
    """Use it in a `with`."""

    def __init__(self, root, disco, shared):
        self.root, self.disco, self.shared, self.known = root, disco, shared, {}

    def __enter__(self):
        self.top = tempfile.TemporaryDirectory(prefix="disco-packages-")
        namespaces = ["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--kill-child"]
        self.init = subprocess.Popen(
            ["unshare", *namespaces, "bash", "scripts/throwaway-root", self.top.name, self.disco, self.shared],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT | {"LOWER": str(self.root)}, text=True,
        )
        said = self.init.stdout.readline().split()
        if said[:1] != ["ready"]:
            raise RuntimeError("scripts/throwaway-root: " + " ".join(said))
        self.pid = said[1]
        return self

    def __exit__(self, *_):
        self.init.stdin.close()
        self.init.wait()
        self.init.stdout.close()
        self.top.cleanup()

    def run(self, argv, **options):
        """What a command in the node did, as subprocess.run has it."""
        inside = ["nsenter", "--mount", "--pid", "--net", "--uts", "--ipc", "--target", self.pid, "--"]
        return subprocess.run(
            [*inside, *argv], env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace", umask=0o022, **options,
        )

    def tree(self):
        """Path -> what is there: mode in octal with the type, owner, and content or target; as disco's JSON has it."""
        found, top = {}, f"/proc/{self.pid}/root"
        below = [""]
        while below:
            folder = below.pop()
            try:
                entries = list(os.scandir(top + folder + "/"))
            except FileNotFoundError:
                continue
            for entry in entries:
                path = f"{folder}/{entry.name}"
                if path in APART:
                    continue
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    below.append(path)
                found[path] = (f"{status.st_mode:o}", f"{status.st_uid}:{status.st_gid}", self.content(top + path, status))
        return found

    def content(self, path, status):
        if stat.S_ISLNK(status.st_mode):
            return os.readlink(path)
        if not stat.S_ISREG(status.st_mode):
            return ""
        # A file that is opened for writing is copied, and has another time of its status then.
        key = (path, status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        if key not in self.known:
            self.known[key] = hashlib.md5(pathlib.Path(path).read_bytes()).hexdigest()
        return self.known[key]


def changes(before, after):
    """Path -> (what became of it, what is there now)."""
    found = {path: ("deleted",) for path in before if path not in after}
    for path, now in after.items():
        if path not in before:
            found[path] = ("created", *now)
        elif before[path] != now:
            found[path] = ("modified", *now)
    return found
