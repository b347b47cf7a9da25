"""What a tree holds, and what of it a merge must bring or leave."""
import hashlib
import os
import re
import stat

# What the node has of the machine, and what every program writes to.
APART = {b"tools", b"given", b"proc", b"dev", b"sys", b"tmp", b"run", b"lost+found", b"second/tmp", b"second/lost+found"}
# XFS lists access lists a second time, in its own form.
TWICE = {"trusted.SGI_ACL_FILE", "trusted.SGI_ACL_DEFAULT"}
# disco's own home, which is looked at by itself; and where undos are kept, of which the first is always there.
HOME = b"var/disco"
UNDO = (HOME + b"/undo", b"second/.disco-undo")
RUN = re.compile(r"\b\d{8}-\d{6}-[-\d]+")


def manifest(root):
    """Path below `root` -> all that a merge must bring: type, mode, owner, number of a device, content or target, extended
    attributes (access lists and capabilities are some), the other names, holes, and times but for those of folders."""
    found, names = {}, {}
    top = os.fsencode(root)
    below = [b""]
    while below:
        folder = below.pop()
        for entry in os.scandir(os.path.join(top, folder)):
            path = os.path.join(folder, entry.name)
            if path in APART or path == HOME or is_kept(path):
                continue
            found[path] = facts(entry)
            status = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                below.append(path)
            elif status.st_nlink > 1:
                names.setdefault((status.st_dev, status.st_ino), []).append(path)
    for group in names.values():
        for path in group:
            # A name that is kept for an undo is none of the tree's.
            found[path]["names"] = sorted(group) if len(group) > 1 else None
    return found


def facts(entry):
    """What is to be said of one object, whatever its path is."""
    status = entry.stat(follow_symlinks=False)
    kind = stat.S_IFMT(status.st_mode)
    said = {"mode": oct(status.st_mode), "owner": (status.st_uid, status.st_gid), "device": status.st_rdev, "names": None}
    attributes = os.listxattr(entry.path, follow_symlinks=False)
    said["attributes"] = {
        name: os.getxattr(entry.path, name, follow_symlinks=False) for name in sorted(attributes) if name not in TWICE
    }
    if kind != stat.S_IFDIR:
        said["time"] = status.st_mtime_ns
    if kind == stat.S_IFLNK:
        said["target"] = os.readlink(entry.path)
    if kind == stat.S_IFREG:
        with open(entry.path, "rb") as file:
            said["content"] = (status.st_size, hashlib.file_digest(file, "sha1").hexdigest())
        said["holes"] = status.st_size >= 1 << 20 and status.st_blocks * 1024 < status.st_size
    return said


def differences(one, other, apart=()):
    """In words what differs between two manifests; the facts named in `apart` do not count."""
    found = []
    for path in sorted(one.keys() | other.keys()):
        if path not in other:
            found.append(f"{os.fsdecode(path)!r}: is there")
        elif path not in one:
            found.append(f"{os.fsdecode(path)!r}: is missing")
        else:
            for what in sorted(one[path].keys() | other[path].keys()):
                have, want = one[path].get(what), other[path].get(what)
                if what not in apart and have != want:
                    found.append(f"{os.fsdecode(path)!r}: {what} is {have}, not {want}")
    return found


def litter(root):
    """What a merge that has not ended has left, in the tree and in disco's home; what is kept for an undo is none."""
    return [os.fsdecode(path) for path in walk(os.fsencode(root), b"") if is_litter(path)]


def is_litter(path):
    if is_kept(path):
        return False
    name = os.path.basename(path)
    under_way = any(path.startswith(HOME + folder) for folder in (b"/journal/", b"/scratch/"))
    return under_way or name.startswith(b".disco-")


def is_kept(path):
    """Whether that is a place for an undo, or in one: in disco's home, and at the top of the other file system."""
    return any(path == place or path.startswith(place + b"/") for place in UNDO)


def kept(root):
    """All that is kept for undos, with a word for the names of runs."""
    found = (path for path in walk(os.fsencode(root), b"") if is_kept(path) and path != UNDO[0])
    return sorted(RUN.sub("RUN", os.fsdecode(path)) for path in found)


def walk(top, folder):
    for entry in os.scandir(os.path.join(top, folder)):
        path = os.path.join(folder, entry.name)
        if path in APART:
            continue
        yield path
        if entry.is_dir(follow_symlinks=False):
            yield from walk(top, path)
