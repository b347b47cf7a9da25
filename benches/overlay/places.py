"""Where things are measured: a file system made anew for each measurement, and the trees that stand below the overlays.

A directory of the machine's disk would not do. After many files are removed, ext4 creates slowly for minutes (it does not
reuse inodes that were deleted a moment ago), and what one file system has written is still on its way to the disk while
the next one is measured. So there is one image in memory, with all its pages in place from the start, and a new ext4 on it
each time: ext4, because its journal is what most overlays stand on, and because fsync is for nothing on a tmpfs.
"""

import io
import os
import shutil
import struct
import tarfile
from pathlib import Path

from measure import plain
from systems import unmount

BLOCK = 4096


class Pool:
    """The memory that places are made of, and a read-only view of the machine's root."""

    def __init__(self, top, kind, size):
        self.top, self.kind, self.size = top, kind, size
        plain("mount", "-t", "tmpfs", "-o", "nr_inodes=0,size=90%,mode=755", "bench", top)
        self.place = top / "p"
        self.place.mkdir()
        self.shared = top / "shared"
        self.shared.mkdir()
        # Without what is mounted below it: no overlay can meet itself, and all see the same files.
        self.root = top / "root"
        self.root.mkdir()
        plain("mount", "--bind", "/", self.root)
        plain("mount", "-o", "remount,bind,ro", self.root)
        if kind == "ext4":
            self.image = top / "image"
            with open(self.image, "wb") as image:
                os.posix_fallocate(image.fileno(), 0, size)
            with open(self.image, "r+b") as image:
                for at in range(0, size, 1 << 20):
                    image.seek(at)
                    image.write(bytes(1 << 20))

    def fresh(self):
        """Makes a new file system at `place`, and returns it."""
        if self.kind == "tmpfs":
            plain("mount", "-t", "tmpfs", "-o", f"nr_inodes=0,size={self.size},mode=755", "place", self.place)
        else:
            # Everything is initialised now or never: nothing goes on in the background.
            plain("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", self.image)
            plain("mount", "-o", "loop,noinit_itable,noatime", self.image, self.place)
        return Place(self.place)


class Place:
    def __init__(self, path):
        self.path, self.count = path, 0
        self.lower, self.mountpoint = path / "lower", path / "m"
        self.lower.mkdir()
        self.mountpoint.mkdir()

    def scratch(self):
        """A name for a new scratch folder."""
        self.count += 1
        return self.path / f"s{self.count}"

    def touch(self, size):
        """Takes that much memory as files do, and gives it back. A virtual machine returns what is free for some seconds
        to its host, and the next use of it costs ten times as much: whoever came first would pay for it."""
        warm = self.path / "warm"
        with open(warm, "wb", buffering=0) as out:
            for _ in range(size >> 20):
                out.write(bytes(1 << 20))
        warm.unlink()

    def settle(self):
        """Writes out what the preparation has left, so that it is not measured."""
        plain("sync", "-f", self.path)

    def close(self):
        unmount(self.path)


def small_files(folder, count, size):
    """Files of that size, 100 in a folder; folders 100 in a folder too, when they are many."""
    text = bytes(size)
    for number in range(count):
        if number % 100 == 0:
            group = number // 100
            below = folder / str(group // 100) / str(group) if count > 10_000 else folder / str(group)
            below.mkdir(parents=True, exist_ok=True)
            base = os.open(below, os.O_PATH | os.O_DIRECTORY)
        one = os.open(f"file{number}", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644, dir_fd=base)
        if size:
            os.write(one, text)
        os.close(one)
        if number % 100 == 99 or number == count - 1:
            os.close(base)


def numbered_blocks(path, size):
    """A file in which every block of 4 KiB begins with its number."""
    chunk = bytearray(os.urandom(BLOCK) * 256)
    with open(path, "wb", buffering=0) as out:
        for first in range(0, size // BLOCK, 256):
            for number in range(256):
                struct.pack_into("<Q", chunk, number * BLOCK, first + number)
            out.write(chunk)


def archive(path, count):
    """A tar archive of files of 1 to 4 KiB, 100 in a folder. Returns the sum of their sizes."""
    total = 0
    with tarfile.open(path, "w", format=tarfile.GNU_FORMAT) as tar:
        for number in range(count):
            if number % 100 == 0:
                folder = tarfile.TarInfo(f"d{number // 100}")
                folder.type, folder.mode = tarfile.DIRTYPE, 0o755
                tar.addfile(folder)
            one = tarfile.TarInfo(f"d{number // 100}/file{number}")
            one.size = 1000 + number * 37 % 3000
            total += one.size
            tar.addfile(one, io.BytesIO(b"x" * one.size))
    return total


def small_debian(folder, package):
    """A root with the essential packages of this machine and what they need, its whole package database, and the package
    installed: what dpkg needs to install it again. Documentation and translations are left out."""
    files = set()
    for one in essential():
        for line in plain("dpkg-query", "-L", one).splitlines():
            if line.startswith("/") and not line.startswith(("/usr/share/doc", "/usr/share/man", "/usr/share/locale",
                                                             "/usr/share/info")):
                files.add(real(line))
    files |= {"/bin", "/sbin", "/lib", "/lib64", "/etc/passwd", "/etc/group", "/etc/ld.so.cache", "/usr/bin/awk",
              "/etc/alternatives/awk", "/tmp", "/dev", "/var/lib/dpkg", "/var/log", "/usr/bin/which"}
    files = sorted(path for path in files if os.path.lexists(path))
    names = folder.parent / "names"
    names.write_text("".join(path.lstrip("/") + "\n" for path in files if path != "/"))
    folder.mkdir()
    # A pipe would hide the first one's failure.
    packed = folder.parent / "packed.tar"
    plain("tar", "-c", "-f", packed, "--no-recursion", "-C", "/", "-T", names)
    plain("tar", "-x", "-f", packed, "-C", folder)
    packed.unlink()
    shutil.copytree("/var/lib/dpkg", folder / "var/lib/dpkg", symlinks=True, dirs_exist_ok=True)
    # The machine's own locks and half-done work are not the copy's.
    for left in ["lock", "lock-frontend", "triggers/Lock"]:
        (folder / "var/lib/dpkg" / left).unlink(missing_ok=True)
    shutil.copyfile(package, folder / "package.deb")
    with devices(folder):
        plain(*dpkg(folder))


def dpkg(root):
    """The command that installs the package in a root."""
    return ["chroot", root, "dpkg", "--install", "--force-depends", "--no-triggers", "/package.deb"]


def devices(root):
    """A small /dev in a root, for as long as it is entered."""
    return Devices(Path(root) / "dev")


class Devices:
    def __init__(self, path):
        self.path = path

    def __enter__(self):
        plain("mount", "-t", "tmpfs", "-o", "mode=755", "dev", self.path)
        for name, minor in [("null", 3), ("zero", 5), ("urandom", 9)]:
            plain("mknod", "-m", "666", self.path / name, "c", "1", minor)

    def __exit__(self, *_):
        unmount(self.path)


def real(path):
    """A path without symlinks on its way; itself it may be one."""
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


def essential():
    """The essential packages that are installed, and all that they depend on."""
    needed, essentials = {}, []
    form = "${binary:Package}\t${Essential}\t${Pre-Depends}, ${Depends}\t${Provides}\n"
    for line in plain("dpkg-query", "-W", "-f", form).splitlines():
        name, mark, depends, _ = line.split("\t")
        bare = name.partition(":")[0]
        needed[bare] = [part.split()[0].partition(":")[0] for term in depends.split(",") for part in term.split("|")
                        if part.split()]
        if mark == "yes":
            essentials.append(bare)
    found, to_do = set(), essentials
    while to_do:
        name = to_do.pop()
        if name not in found and name in needed:
            found.add(name)
            to_do += needed[name]
    return sorted(found)
