"""Disk images behind disco-powercut: what was written to them and flushed, and what a disk may hold after a power cut."""
import pathlib
import random
import struct
import subprocess
import time
from dataclasses import dataclass

import node

HEAD = struct.Struct("<BBHIQ")
WRITE, FLUSH = 1, 2
# What a disk writes whole or not at all.
BLOCK = 4096


@dataclass(frozen=True)
class System:
    """A kind of file system: how it is made, its size in MiB, and how it is mounted."""

    name: str
    make: tuple
    size: int
    options: str = "loop"


SYSTEMS = [
    System("ext4", ("mkfs.ext4", "-q", "-F"), 96),
    System("ext4, noauto_da_alloc", ("mkfs.ext4", "-q", "-F"), 96, "loop,noauto_da_alloc"),
    System("xfs", ("mkfs.xfs", "-q", "-f"), 320, "loop,nouuid"),
    System("btrfs", ("mkfs.btrfs", "-q", "-f"), 160),
]
# What is mounted at /second, whatever the root is.
SECOND = System("ext4", ("mkfs.ext4", "-q", "-F"), 24)


@dataclass(frozen=True)
class Record:
    """Something that was asked of a disk."""

    deed: int
    image: int
    offset: int
    data: bytes


def read_log(path):
    """All that the log holds."""
    text, at, records = pathlib.Path(path).read_bytes(), 0, []
    while at < len(text):
        deed, image, _, length, offset = HEAD.unpack_from(text, at)
        at += HEAD.size
        records.append(Record(deed, image, offset, text[at:at + length]))
        at += length
    return records


class Disks:
    """The two images of a node in a folder, `root` and `second`, as they are before anything is recorded."""

    def __init__(self, folder, system):
        self.folder, self.system = pathlib.Path(folder), system
        self.folder.mkdir(parents=True)
        self.images = [self.folder / "root", self.folder / "second"]

    def make(self, template):
        """Makes both file systems, with the tree in them."""
        for image, system in zip(self.images, (self.system, SECOND)):
            with open(image, "wb") as file:
                file.truncate(system.size << 20)
            node.run(*system.make, image)
        with self.mounted(self.images, self.folder / "mounted", self.folder) as one:
            node.run("cp", "-a", "-T", "--sparse=always", template, one.root)
            node.run("sync", "--file-system", one.root, one.root / "second")

    def mounted(self, images, folder, given):
        """A node whose file systems are these images."""
        one = node.Node(folder, given)
        one.root.mkdir(parents=True, exist_ok=True)
        node.mount("-o", self.system.options, images[0], one.root)
        # What an image of an early cut does not hold yet is only missing in what is judged.
        (one.root / "second").mkdir(exist_ok=True)
        node.mount("-o", SECOND.options, images[1], one.root / "second")
        return one

    def copies(self, folder):
        """The images once more."""
        folder.mkdir(parents=True)
        copied = [folder / image.name for image in self.images]
        for image, copy in zip(self.images, copied):
            node.run("cp", "--sparse=always", image, copy)
        return copied


class Server:
    """disco-powercut, serving copies of the images. Use it in a `with`."""

    def __init__(self, program, folder, images):
        self.at, self.log, self.images = folder / "served", folder / "log", images
        self.at.mkdir()
        self.process = subprocess.Popen([program, self.at, self.log, *images], stdin=subprocess.DEVNULL)

    def __enter__(self):
        patience = time.monotonic() + 20
        while not (self.at / "root").exists():
            if self.process.poll() is not None or time.monotonic() > patience:
                raise RuntimeError(f"disco-powercut does not serve: {self.process.poll()}")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        node.run("umount", self.at)
        self.process.wait(20)

    @property
    def served(self):
        return [self.at / image.name for image in self.images]

    def asked(self):
        """How many records the log has now."""
        return len(read_log(self.log))


def last_flush(records, image, end):
    """The number of the first record that is not known to be on the disk when `end` of them were asked."""
    flushes = (at for at in range(end - 1, -1, -1) if records[at].deed == FLUSH and records[at].image == image)
    return next(flushes, 0)


def flushes(records):
    """After how many records something that was written had to be on a disk."""
    found, fresh = [], False
    for at, record in enumerate(records):
        fresh = fresh or record.deed == WRITE
        if record.deed == FLUSH and fresh:
            found.append(at + 1)
            fresh = False
    return found


@dataclass(frozen=True)
class Cut:
    """The power goes after `end` records; without a seed the disk has written all of them, else of the blocks that it
    need not have written a random half."""

    end: int
    seed: int | None = None

    def __str__(self):
        return f"after {self.end} records" + ("" if self.seed is None else f", seed {self.seed}")


class Replay:
    """Images that go forward along the log; cuts must come in their order."""

    def __init__(self, images, records):
        self.images = [open(image, "r+b") for image in images]
        self.records, self.done = records, 0

    def state(self, cut, folder):
        """The images of a cut, as files in a new folder."""
        sure = [last_flush(self.records, image, cut.end) for image in range(len(self.images))]
        until = cut.end if cut.seed is None else max(min(sure), self.done)
        for record in self.records[self.done:until]:
            put(self.images[record.image], record.offset, record)
        self.done = max(until, self.done)
        folder.mkdir(parents=True)
        copies = []
        for image in self.images:
            image.flush()
            copies.append(folder / pathlib.Path(image.name).name)
            node.run("cp", "--sparse=always", image.name, copies[-1])
        if cut.seed is not None:
            self.halve(cut, sure, copies)
        return copies

    def halve(self, cut, sure, copies):
        """Writes what is not written yet: all that is sure, and half of the blocks of the rest."""
        chance = random.Random(cut.seed)
        files = [open(copy, "r+b") for copy in copies]
        for at in range(self.done, cut.end):
            record = self.records[at]
            for start in range(0, len(record.data), BLOCK):
                if at < sure[record.image] or chance.random() < 0.5:
                    files[record.image].seek(record.offset + start)
                    files[record.image].write(record.data[start:start + BLOCK])
        for file in files:
            file.close()


def put(file, offset, record):
    if record.deed == WRITE:
        file.seek(offset)
        file.write(record.data)
