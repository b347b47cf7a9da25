"""A small node in a folder of its own: the tree of before.sh, disco's home, and what programs need to start there."""
import ctypes
import pathlib
import subprocess
import time

HERE = pathlib.Path(__file__).resolve().parent
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
}
# Longer than any of them takes, on a busy machine too.
PATIENCE = 120
# Of sched.h.
CLONE_NEWNS = 0x20000


def run(*argv, **options):
    """A command that must succeed; what it printed."""
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", env=ENVIRONMENT, **options)
    if done.returncode:
        raise RuntimeError(f"{argv}: {done.returncode}: {done.stderr.strip()[-600:]}")
    return done.stdout


def mount(*argv):
    run("mount", *map(str, argv))


def leave_mounts():
    """From here on what this process and its children mount is seen by them alone, and gone with them."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "cannot have mounts of its own")
    run("mount", "--make-rprivate", "/")


class Node:
    """A root below `folder`; `given` is what it sees as /given. Use it in a `with`."""

    def __init__(self, folder, given):
        self.root = pathlib.Path(folder)
        self.given = given
        self.running = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.running:
            self.running.kill()
            self.running.wait()
        run("umount", "--recursive", "--lazy", self.root)

    def lay_mounts(self, boot=None):
        """What the tree itself does not hold: the machine's programs, the files given, /proc and /dev. With `boot`, a file, the
        machine has been started once more: that is what it is told by."""
        for name in ("tools", "given", "proc", "dev", "sys"):
            (self.root / name).mkdir(exist_ok=True)
        mount("--bind", "-o", "ro", "/", self.root / "tools")
        mount("--bind", "-o", "ro", self.given, self.root / "given")
        mount("-t", "proc", "proc", self.root / "proc")
        mount("--bind", "/dev", self.root / "dev")
        if boot:
            mount("--bind", boot, self.root / "proc/sys/kernel/random/boot_id")

    def start_program(self):
        """A program of the tree, which the merge replaces while it runs."""
        self.running = subprocess.Popen(
            ["chroot", self.root, "/proof/running", "1000"], stdin=subprocess.DEVNULL, env=ENVIRONMENT
        )

    def within(self, *argv):
        """The command line of a command in it."""
        return ["chroot", str(self.root), *argv]

    def disco(self, *argv, before=()):
        """What disco did: as subprocess.run has it. `before` is what it is started by."""
        return subprocess.run(
            [*before, *self.within("/given/disco", *argv)], env=ENVIRONMENT, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, errors="replace", timeout=PATIENCE,
        )


def settle(images):
    """Waits until no loop device has these files open."""
    patience = time.monotonic() + PATIENCE
    while any(run("losetup", "--associated", image).strip() for image in images):
        if time.monotonic() > patience:
            raise RuntimeError(f"still in use: {images}")
        time.sleep(0.02)


def lay_tree(root, size):
    """The tree before a merge, in an empty folder in which `second` is there already or is made."""
    root = pathlib.Path(root)
    for name in ("usr", "bin", "sbin", "lib", "lib64"):
        (root / name).symlink_to(f"tools/{name}")
    (root / "second/tmp").mkdir(parents=True, exist_ok=True)
    for name in ("etc", "var/disco", "root", "tmp", "run"):
        (root / name).mkdir(parents=True)
    (root / "etc/passwd").write_text("root:x:0:0::/root:/bin/bash\n")
    (root / "etc/group").write_text("root:x:0:\n")
    (root / "etc/hostname").write_text("proof\n")
    run("bash", HERE / "before.sh", root, str(size))


def copied(template, folder, given):
    """A node on a file system in memory, with another one below it, as the template has them."""
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    node = Node(folder, given)
    mount("-t", "tmpfs", "-o", "mode=755", "node", folder)
    (folder / "second").mkdir()
    mount("-t", "tmpfs", "-o", "mode=755", "second", folder / "second")
    run("cp", "-a", "-T", "--sparse=always", template, folder)
    node.lay_mounts()
    return node
