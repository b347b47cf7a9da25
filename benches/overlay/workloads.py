"""The workloads: what lies below the overlay, the commands that are measured, and what a right result looks like.

A group is one mount and the rows that are measured on it, one after another.
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Callable

from measure import files_below, lines, plain
from places import archive, devices, dpkg, numbered_blocks, small_debian, small_files

CLIENT = [sys.executable, "-B", str(Path(__file__).with_name("client.py"))]
MIB = 1 << 20


@dataclass(frozen=True)
class Sizes:
    walk: str
    doc: str
    cat: int
    data: int
    reads: int
    write: int
    write4k: int
    untar: int
    copyup: int
    big: int
    remove: int
    spawn: int


WHOLE = Sizes("usr", "usr/share/doc", 48_000, 1024 * MIB, 200_000, 512 * MIB, 256 * MIB, 10_000, 1000, 1024 * MIB, 10_000, 1000)
QUICK = Sizes("usr/share/doc", "usr/share/doc/p*", 2000, 64 * MIB, 20_000, 32 * MIB, 16 * MIB, 1000, 100, 64 * MIB, 1000, 100)


@dataclass
class Row:
    name: str
    # The command, given the path of the mounted tree.
    argv: Callable
    # What is to be equal on every file system, given the mounted tree and the command's output; the command has succeeded.
    seen: Callable
    unit: str = "s"
    # Whether the command prints its figure itself.
    prints: bool = False
    memory: bool = False
    # Data goes to /dev/null, not into a file.
    discards: bool = False


@dataclass
class Group:
    name: str
    rows: list
    # Makes the lower tree, and returns what the rows must have seen; None: what the native tree gives is right.
    fill: Callable = None
    # The lower is the machine's root.
    root: bool = False
    # Whether rows change what they find: then each measurement has a file system of its own.
    writes: bool = False
    # The memory that the rows take, so that it is at hand: a page once below and once above a daemon.
    memory: int = 128 * MIB
    # What must surround the commands, given the mounted tree.
    around: Callable = None


def walk(name, argv, **more):
    return Row(name, argv, lambda tree, out: lines(out), **more)


def reading(sizes, pool):
    """Groups that only read."""
    find = lambda tree: ["find", tree / sizes.walk, "-xdev", "-type", "f"]
    # Not all of the machine's folders can be listed by name alone: a shell expands the sample's pattern.
    list_all = lambda tree: ["ls", "-lR", tree / sizes.walk]
    list_doc = lambda tree: ["bash", "-c", f"cd {tree} && exec ls -lR {sizes.doc}"]
    names = pool.shared / "names"
    share = pool.root / "usr/share"
    found = plain("find", ".", "-xdev", "-type", "f", cwd=share).splitlines()
    # Names in no locale's order: the same files on every machine that has the same packages.
    files = sorted(name for name in found if " " not in name and "'" not in name and '"' not in name)[:sizes.cat]
    names.write_text("\n".join(files) + "\n")
    cat = lambda tree: ["env", "-C", tree / "usr/share", "xargs", "-a", names, "cat"]

    def contents(tree, _):
        total = hashlib.sha256()
        for name in files[::24]:
            total.update((tree / "usr/share" / name).read_bytes())
        return total.hexdigest()

    yield Group("find", [walk("find_first", find), walk("find_warm", find)], root=True)
    yield Group("lslR", [walk("lslR_first", list_all, memory=True), walk("lslR_warm", list_all)], root=True)
    yield Group("lslR_doc", [walk("lslR_doc", list_doc)], root=True)
    yield Group("cat", [Row("cat_first", cat, contents, discards=True), Row("cat_warm", cat, contents, discards=True)],
                root=True)

    def big_file(lower):
        numbered_blocks(lower / "big", sizes.data)
        return {"seqread_first": sizes.data >> 17, "seqread_warm": sizes.data >> 17, "randread": None}

    def blocks(_, output):
        return next(int(line.split("+")[0]) for line in Path(f"{output}.err").read_text().splitlines() if "records in" in line)

    read = lambda tree: ["dd", f"if={tree}/big", "of=/dev/null", "bs=128k"]
    yield Group("seqread", [Row("seqread_first", read, blocks), Row("seqread_warm", read, blocks),
                            Row("randread", lambda tree: [*CLIENT, "randread", tree / "big", sizes.reads],
                                lambda tree, out: None, unit="us/op", prints=True)], fill=big_file,
                memory=sizes.data)
    loop = f"for ((i = 0; i < {sizes.spawn}; i++)); do /bin/true || exit 1; done; echo $i"
    yield Group("spawn", [Row("spawn", lambda tree: ["chroot", tree, "/bin/bash", "-c", loop],
                              lambda tree, out: out.read_text())], root=True)


def writing(sizes, pool, package):
    """Groups that change the tree."""
    def empty(lower):
        (lower / "to").mkdir()

    def written(name, block, size):
        def argv(tree):
            return ["dd", "if=/dev/zero", f"of={tree}/to/file", f"bs={block}", f"count={size // block}"]

        def fill(lower):
            empty(lower)
            return {name: size}
        return Group(name, [Row(name, argv, lambda tree, out: (tree / "to/file").stat().st_size)], fill, writes=True,
                     memory=2 * size)

    yield written("seqwrite", MIB, sizes.write)
    yield written("write4k", 4096, sizes.write4k)

    tar = pool.shared / "files.tar"
    unpacked = archive(tar, sizes.untar)

    def for_untar(lower):
        empty(lower)
        return {"untar": (sizes.untar, unpacked)}

    yield Group("untar", [Row("untar", lambda tree: ["tar", "-x", "-f", tar, "-C", tree / "to"],
                              lambda tree, out: files_below(tree / "to"))], for_untar, writes=True)

    def many(name, count, size, after, argv):
        def fill(lower):
            small_files(lower / "tree", count, size)
            return {name: after}

        def seen(tree, _):
            return files_below(tree / "tree") if (tree / "tree").exists() else None
        return Group(name, [Row(name, argv, seen)], fill, writes=True)

    append = lambda tree: ["bash", "-c", f"for one in {tree}/tree/*/*; do printf x >>$one || exit 1; done"]
    yield many("copyup1000", sizes.copyup, 4096, (sizes.copyup, sizes.copyup * 4097), append)
    yield many("rmrf", sizes.remove, 100, None, lambda tree: ["rm", "-rf", tree / "tree"])

    def one_big(lower):
        numbered_blocks(lower / "big", sizes.big)
        return {"copyup1g": (sizes.big + 1, b"x")}

    def end_of_big(tree, _):
        with open(tree / "big", "rb") as big:
            big.seek(-1, os.SEEK_END)
            return big.tell() + 1, big.read()

    yield Group("copyup1g", [Row("copyup1g", lambda tree: ["bash", "-c", f"printf x >>{tree}/big"], end_of_big)], one_big,
                writes=True, memory=sizes.big)
    if package:
        yield installing(pool, package)


def installing(pool, package):
    model = pool.shared / "debian"
    expected = sum(not line.endswith("/") for line in plain("dpkg-deb", "-c", package).splitlines())

    def fill(lower):
        if not model.exists():
            small_debian(model, package)
        # Into the folder that is there, which is the root of the tree.
        plain("cp", "-a", f"{model}/.", lower)
        return {"dpkg": (expected, "", "install ok installed")}

    def seen(tree, _):
        name = plain("dpkg-deb", "-f", package, "Package").strip()
        listed = plain("chroot", tree, "dpkg-query", "-L", name).splitlines()
        there = sum(os.path.lexists(f"{tree}{path}") and (os.path.islink(f"{tree}{path}") or not os.path.isdir(f"{tree}{path}"))
                    for path in listed)
        # Prints whatever differs from the package's checksums.
        differs = plain("chroot", tree, "dpkg", "--verify", name)
        return there, differs, plain("chroot", tree, "dpkg-query", "-W", "-f", "${Status}", name)

    return Group("dpkg", [Row("dpkg", dpkg, seen)], fill, writes=True, around=devices)


def groups(sizes, pool, package):
    return [*reading(sizes, pool), *writing(sizes, pool, package)]


# All rows in their order, and those whose time is that of data, where noise is part of the answer.
ROWS = ["find_first", "find_warm", "lslR_first", "lslR_warm", "lslR_doc", "cat_first", "cat_warm", "seqread_first",
        "seqread_warm", "randread", "seqwrite", "write4k", "untar", "copyup1000", "copyup1g", "rmrf", "spawn", "dpkg"]
DATA = {"seqread_first", "seqread_warm", "randread", "seqwrite", "write4k", "copyup1g"}
