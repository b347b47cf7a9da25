"""From the results of a run to the page for people. Every figure on it is computed here, from what was measured."""

import statistics

from machine import CALM
from systems import SYSTEMS
from workloads import DATA, ROWS

TITLES = {system.name: system.title for system in SYSTEMS}
MEANING = {
    "find_first": "`find -xdev -type f` over `/usr`, seen through an overlay of `/`, on a fresh mount", "find_warm": "again",
    "lslR_first": "`ls -lR` of the same, on a fresh mount", "lslR_warm": "again",
    "lslR_doc": "`ls -lR` of `/usr/share/doc`, on a fresh mount",
    "cat_first": "`cat` of the first 48,000 files of `/usr/share` by name, on a fresh mount", "cat_warm": "again",
    "seqread_first": "`dd` of 1 GiB, 128 KiB at a time, on a fresh mount", "seqread_warm": "again",
    "randread": "200,000 random reads of 4 KiB of that file, by a small Python client, whose own cost is in all figures",
    "seqwrite": "`dd` of 512 MiB into a new file, 1 MiB at a time", "write4k": "256 MiB, 4 KiB at a time",
    "untar": "10,000 files of 1 to 4 KiB in 100 folders", "copyup1000": "one byte appended to each of 1,000 files of 4 KiB",
    "copyup1g": "one byte appended to a file of 1 GiB", "rmrf": "`rm -rf` of 10,000 files in 100 folders",
    "spawn": "1,000 times `/bin/true` from one bash, in a chroot of an overlay of `/`",
    "dpkg": "adwaita-icon-theme (5,600 files) installed over itself by `dpkg`, in a chroot of a small Debian: this machine's "
            "essential packages and its whole database of packages",
}


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def short(value):
    return f"{value:.3f}" if value < 10 else f"{value:.1f}"


def shown(cell, native):
    """A figure, for rows of data its range, and how many times as much as the native one it is."""
    if cell is None:
        return ""
    if not cell["values"]:
        return {"over": "**too long**", "failed": "**FAILED**"}.get(cell.get("end"), "")
    middle = statistics.median(cell["values"])
    text = short(middle)
    if cell["row"] in DATA and len(cell["values"]) > 1:
        text += f" [{short(min(cell['values']))}..{short(max(cell['values']))}]"
    if native and native["values"] and cell["system"] != "native":
        times = middle / statistics.median(native["values"])
        text += f" ({times:.1f}x)" if times < 100 else f" ({times:.0f}x)"
    return text


def compared(found, pinned):
    cells = {(cell["row"], cell["system"]): cell for cell in found["cells"] if cell["pinned"] == pinned}
    names = [name for name in TITLES if any(system == name for _, system in cells)]
    rows = []
    for row in ROWS:
        if any(name == row for name, _ in cells):
            unit = next(cell["unit"] for (name, _), cell in cells.items() if name == row)
            head = row if unit == "s" else f"{row}, {unit}"
            rows.append([head, *[shown(cells.get((row, name)), cells.get((row, "native"))) for name in names]])
    peaks = {system: cell["peak_kib"] for (_, system), cell in cells.items() if "peak_kib" in cell}
    if peaks:
        rows.append(["memory after lslR_first, MB",
                     *[f"{peaks[name] * 1024 / 1e6:.1f}" if name in peaks else "" for name in names]])
    return table(["seconds (to native)", *[TITLES[name] for name in names]], rows)


def growth(rows):
    """Microseconds and bytes for one file: they are to be the same in every line."""
    names = [name for name in TITLES if any(row["system"] == name for row in rows)]
    text = ""
    for what, title, factor in [("find", "µs a file, `find`", 1e6), ("ls", "µs a file, `ls -lR`", 1e6),
                                ("kib", "bytes a file, memory of the daemon", 1024)]:
        lines = []
        for size in sorted({row["files"] for row in rows}):
            of = {row["system"]: row for row in rows if row["files"] == size}
            lines.append([f"{size:,}", *[each(of.get(name), what, factor / size) for name in names]])
        text += table([title, *[TITLES[name] for name in names]], lines) + "\n"
    return text


def layers(rows):
    names = [name for name in TITLES if any(row["system"] == name for row in rows)]
    text = ""
    for what, title in [("find", "`find`, µs a file"), ("present", "lookup of a name that is there, µs"),
                        ("absent", "lookup of a name that is not, µs")]:
        lines = []
        for count in sorted({row["layers"] for row in rows}):
            of = {row["system"]: row for row in rows if row["layers"] == count}
            files = next((row["files"] for row in of.values() if "files" in row), 1)
            factor = 1e6 / files if what == "find" else 1
            lines.append([str(count), *[each(of.get(name), what, factor) for name in names]])
        text += table([f"layers: {title}", *[TITLES[name] for name in names]], lines) + "\n"
    return text


def each(row, what, factor):
    if row is None or row.get(what) is None:
        return {"over": "**too long**", "failed": "**FAILED**"}.get((row or {}).get("end"), "")
    value = row[what] * factor
    return f"{value:.2f}" if value < 100 else f"{value:,.0f}"


def page(found):
    facts = found["facts"]
    busy = facts["load_before"] / facts["cores"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    built = f" (commit {facts['built']})" if facts["built"] else ""
    made = ("an ext4 made anew for each measurement, on a loop device over memory" if facts["on"] == "ext4"
            else "a tmpfs made anew for each measurement")
    text = f"""# What the overlay costs

`scripts/bench-overlay` has measured this and written this page on {facts['date']}; every figure is its own.

{facts['cores']} cores of {facts['processor']}, {facts['memory_gib']} GiB, Linux {facts['kernel']}, {facts['system']}, `/` on {facts['root']};
{versions}, both of this system; disco{built} as a release build. The load before the run was {facts['load_before']:.1f}{', **too busy for figures**' if busy > CALM else ''}; it took
{facts['seconds'] / 60:.0f} minutes.{' **Small sizes: not those that are described below.**' if facts['quick'] else ''}
"""
    if found["cells"]:
        text += f"\n## Every process where it likes\n\n{compared(found, False)}"
        text += f"\n## Daemon and client on one CPU\n\n{compared(found, True)}"
        text += f"\nThe walk that memory is taken after sees {facts['objects']:,} objects.\n"
    earlier = found.get("growth_built", facts["built"])
    if earlier != facts["built"]:
        text += f"\nThe tables below, of growth, are of an earlier run (commit {earlier}).\n"
    if "growth" in found:
        text += "\n## With more files\n\nEmpty files on a tmpfs, 100 in a folder, on a fresh mount; once each.\n\n" + growth(found["growth"])
    if "layers" in found:
        text += ("\n## With more lower layers\n\n15,000 files, always the same: in folders of 100, each of one layer, and 5,000 of them in one "
                 "directory\nthat every layer has a part of. Fresh mounts.\n\n" + layers(found["layers"]))
    failed = [cell for part in ("cells", "growth", "layers") for cell in found.get(part, []) if cell.get("end") in ("failed", "over")]
    if failed:
        text += "\n## What failed\n\n" + "\n".join(f"- {what(cell)}: {cell['why']}" for cell in failed) + "\n"
    return text + how(facts, made)


def what(cell):
    words = cell.get("row") or (f"{cell['files']:,} files" if "files" in cell else f"{cell['layers']} layers")
    return f"{words} on {TITLES[cell['system']]}{', one CPU' if cell.get('pinned') else ''}"


def how(facts, made):
    meaning = table(["row", "what it is"], [[row, MEANING[row]] for row in ROWS])
    return f"""
## How to read it

Seconds of whole commands, wall clock: the median of up to {facts['repeat']} (a file system that needs more than {facts['budget']:.0f} seconds for
all of them gets fewer); `x` is how many times as long as on the native tree; in brackets the smallest and the largest where
data is moved. File systems take turns, and each turn begins with another one. A difference below a third is noise on a
small machine. A result counts only if it was right: the exit status, the files or bytes seen, the sums of what was read,
the lower tree unchanged.

Upper and lower are on {made}: on the machine's own disk ext4
creates slowly for minutes after many files were removed, and what one has written is still on its way to the disk while the
next one is measured. The memory that a row needs is touched just before: a virtual machine gives free memory back to its
host, and the next use of it is slow. The price: no disk is waited for, so an overlay that syncs what it copies looks better than it is.
Rows over `/` have a read-only bind of the machine's own root below them, without what is mounted in it. What is read is in
memory before: a first row is the first of its mount, not of the disk. Peers are mounted with `allow_other,
default_permissions`; *volatile* differs only where something is written. Memory is the daemon's peak (VmHWM).

{meaning}"""
