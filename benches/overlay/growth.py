"""How cost grows: with the number of files, and with the number of lower layers. Each measured on a fresh mount."""

import statistics
import sys
import time

from measure import Over, Wrong, lines, plain, seconds
from places import Place, small_files
from run import complain, close
from systems import Mounted
from workloads import CLIENT

FILES, QUICK_FILES = [10_000, 100_000, 1_000_000], [1000, 10_000]
LAYERS, QUICK_LAYERS = [1, 10, 100], [1, 10]
LIMIT = 120
# Of all layers together, so that only their number differs: folders of one layer each, with 100 files; files of the
# directory that all layers have. And how many of these are asked for.
OWN_FOLDERS, MERGED_FILES, ASKED = 100, 5000, 5000


def tree_of(pool):
    """A place in memory without a disk's file system: this is about the overlay alone."""
    plain("mount", "-t", "tmpfs", "-o", "nr_inodes=0,size=90%,mode=755", "place", pool.place)
    return Place(pool.place)


def files(systems, pool, quick):
    """One more size at a time: seconds of `find` and of `ls -lR` on a fresh mount, and the daemon's memory."""
    found = []
    for size in QUICK_FILES if quick else FILES:
        place = tree_of(pool)
        started = time.monotonic()
        small_files(place.lower / "tree", size, 0)
        print(f"growth, {size:,} files made in {time.monotonic() - started:.0f} s: ", end="", file=sys.stderr, flush=True)
        for system in systems:
            if not system.writes_only:
                found.append({"files": size, "system": system.name, **walks(system, pool, place, size)})
        print(file=sys.stderr)
        place.close()
    return found


def walks(system, pool, place, size):
    took, output, mounted = {}, pool.top / "output", None
    try:
        # A name, an inode and a daemon's own record of it.
        place.touch((256 << 20) + size * 2048)
        mounted = Mounted(system, [place.lower], place.scratch(), place.mountpoint)
        before = mounted.peak()
        for name, argv in [("find", ["find", mounted.path / "tree", "-type", "f"]), ("ls", ["ls", "-lR", mounted.path / "tree"])]:
            took[name] = seconds(argv, output, f"{output}.err", LIMIT, mounted.end)
            # ls prints more lines than there are files: a heading and a sum for each folder.
            if name == "find" and lines(output) != size or name == "ls" and count_files(output) != size:
                raise Wrong(f"{name} has not seen {size} files")
        if before:
            took["kib"] = mounted.peak() - before
        print(f"{system.name} {took['find']:.2f} {took['ls']:.2f}  ", end="", file=sys.stderr, flush=True)
    except (Over, Wrong, OSError) as error:
        took.update(end="over" if isinstance(error, Over) else "failed", why=str(error))
        complain(f"{size:,} files on {system.name}: {error}")
    finally:
        close(mounted)
    return took


def count_files(output):
    with open(output, "rb") as text:
        return sum(line.startswith(b"-") for line in text)


def layers(systems, pool, quick, repeat):
    """Lower layers with folders of their own and one directory that all have: seconds of `find`, and of a lookup in the
    merged directory, of names that are there and of names that are not."""
    found = []
    for count in QUICK_LAYERS if quick else LAYERS:
        place = tree_of(pool)
        lowers = [layer(place.path / "l" / str(number), number, count) for number in range(count)]
        wanted = OWN_FOLDERS * 100 + MERGED_FILES
        names = {kind: pool.top / kind for kind in ["present", "absent"]}
        for kind, prefix in [("present", "file"), ("absent", "absent")]:
            names[kind].write_text("\n".join(f"{prefix}{number}" for number in range(ASKED)))
        print(f"growth, {count} layers: ", end="", file=sys.stderr, flush=True)
        for system in systems:
            # No folder shows several layers by itself.
            if not system.writes_only and system.name != "native":
                found.append({"layers": count, "system": system.name, **looks(system, pool, place, lowers, wanted, names, repeat)})
        print(file=sys.stderr)
        place.close()
    return found


def layer(path, number, count):
    """One layer of so many: every count-th folder, and every count-th file of the merged directory."""
    small_files(path / "tree" / f"own{number}", OWN_FOLDERS // count * 100, 0)
    merged = path / "tree/merged"
    merged.mkdir(parents=True)
    for one in range(number, MERGED_FILES, count):
        (merged / f"file{one}").touch()
    return path


def looks(system, pool, place, lowers, wanted, names, repeat):
    took, output = {"files": wanted}, pool.top / "output"
    try:
        for _ in range(repeat):
            for kind in ["find", "present", "absent"]:
                mounted = None
                try:
                    mounted = Mounted(system, lowers, place.scratch(), place.mountpoint)
                    merged = mounted.path / "tree/merged"
                    argv = (["find", mounted.path / "tree", "-type", "f"] if kind == "find"
                            else [*CLIENT, "lookup", merged, names[kind]])
                    wall = seconds(argv, output, f"{output}.err", LIMIT, mounted.end)
                    if kind == "find" and lines(output) != wanted:
                        raise Wrong(f"find has seen {lines(output)} files instead of {wanted}")
                    took.setdefault(kind, []).append(wall if kind == "find" else float(output.read_text()))
                finally:
                    close(mounted)
        took.update({kind: statistics.median(took[kind]) for kind in ["find", "present", "absent"]})
        print(f"{system.name} {took['find']:.3f}  ", end="", file=sys.stderr, flush=True)
    except NotImplementedError as error:
        return {"end": "not there", "why": str(error)}
    except (Over, Wrong, OSError) as error:
        complain(f"{len(lowers)} layers on {system.name}: {error}")
        return {"end": "over" if isinstance(error, Over) else "failed", "why": str(error)}
    return took
