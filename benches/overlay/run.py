"""Measures the rows of a group on every file system.

They take turns, and each turn begins with another one: whatever else happens on the machine happens to all of them.
"""

import statistics
import sys
from contextlib import nullcontext

from measure import Over, Wrong, fingerprint, plain, seconds
from systems import Mounted

# The most that one command may take, in seconds.
LIMIT = 120


class Cells:
    """What was measured: for each row and file system, unpinned and on one CPU, its values, or why there is none."""

    def __init__(self):
        self.found = {}

    def of(self, row, system, pinned):
        key = (row.name, system.name, pinned)
        new = {"row": row.name, "system": system.name, "pinned": pinned, "unit": row.unit, "values": []}
        return self.found.setdefault(key, new)

    def add(self, row, system, pinned, value, peak):
        cell = self.of(row, system, pinned)
        cell["values"].append(value)
        if peak:
            cell["peak_kib"] = max(peak, cell.get("peak_kib", 0))

    def end(self, row, system, pinned, how, why):
        # A figure of something that did not work once says nothing.
        self.of(row, system, pinned).update(end=how, why=why, values=[])
        complain(f"{row.name} on {system.name}{' on one CPU' if pinned else ''}: {how}: {why}")

    def ended(self, group, system, pinned):
        return any("end" in self.found.get((row.name, system.name, pinned), {}) for row in group.rows)

    def values(self):
        return list(self.found.values())


def complain(words):
    print(f"\nWRONG: {words}", file=sys.stderr, flush=True)


def group(one, systems, pool, wanted, pinned, cells):
    """Measures a group, `wanted.repeat` times or until a file system has had its time."""
    systems = [system for system in systems if one.writes or not system.writes_only]
    place = expected = None
    if not one.writes:
        place = pool.fresh()
        expected = (one.fill(place.lower) if one.fill else None)
        place.settle()
        # Brings everything into memory; and what the native tree shows is what all must show.
        seen = native_look(one, pool, place)
        expected = seen if expected is None else {**seen, **{key: value for key, value in expected.items() if value}}
    spent = dict.fromkeys(systems, 0.0)
    print(f"{one.name}{', one CPU' if pinned else ''}: ", end="", file=sys.stderr, flush=True)
    for turn in range(wanted.repeat):
        at = turn % len(systems)
        for system in systems[at:] + systems[:at]:
            # A turn more than fits into its time is not begun.
            if cells.ended(one, system, pinned) or turn and spent[system] * (turn + 1) / turn > wanted.budget:
                continue
            spent[system] += once(one, system, pool, place, expected, pinned, cells)
    if place:
        place.close()
    print(", ".join(f"{system.name} {summary(cells, one, system, pinned)}" for system in systems), file=sys.stderr, flush=True)


def summary(cells, one, system, pinned):
    values = [cells.of(row, system, pinned)["values"] for row in one.rows]
    return " ".join(f"{statistics.median(value):.3f}" if value else "-" for value in values)


def native_look(one, pool, place):
    tree = pool.root if one.root else place.lower
    output = pool.top / "output"
    seen = {}
    for row in one.rows:
        seconds(row.argv(tree), "/dev/null" if row.discards else output, f"{output}.err", LIMIT, lambda: None)
        seen[row.name] = row.seen(tree, output)
    return seen


def once(one, system, pool, shared, expected, pinned, cells):
    """Measures all rows on one fresh mount, and returns the seconds that they took."""
    place = shared or pool.fresh()
    spent, row, mounted = 0.0, one.rows[0], None
    try:
        if one.writes:
            expected = one.fill(place.lower)
            before = fingerprint(place.lower)
            place.settle()
        place.touch(one.memory)
        lower = pool.root if one.root else place.lower
        mounted = Mounted(system, [lower], place.scratch(), place.mountpoint)
        with one.around(mounted.path) if one.around else nullcontext():
            for row in one.rows:
                wall, value = timed(row, mounted, pool.top / "output", expected[row.name])
                cells.add(row, system, pinned, value, mounted.peak() if row.memory else None)
                spent += wall
        if one.writes and system.name != "native" and fingerprint(place.lower) != before:
            raise Wrong("the lower tree was changed")
    except Over as error:
        cells.end(row, system, pinned, "over", str(error))
    except (Wrong, OSError) as error:
        cells.end(row, system, pinned, "failed", str(error))
    finally:
        close(mounted)
        if not shared:
            place.close()
    return spent


def close(mounted):
    if not mounted:
        return
    try:
        mounted.close()
    except Wrong as error:
        # Nothing after it could be trusted.
        mounted.end()
        raise SystemExit(f"error: {error}") from error


def timed(row, mounted, output, expected):
    """Runs a row's command, and returns its seconds and its figure. Raises Wrong if what it did is not right."""
    errors = output.with_name(output.name + ".err")
    wall = seconds(row.argv(mounted.path), "/dev/null" if row.discards else output, errors, LIMIT, mounted.end)
    value = float(output.read_text()) if row.prints else wall
    seen = row.seen(mounted.path, output)
    if seen != expected:
        raise Wrong(f"a wrong result: {seen!r} instead of {expected!r}")
    return wall, value


def objects(pool, walk):
    """The number of objects below the folder that is walked."""
    return len(plain("find", pool.root / walk, "-xdev", "-printf", "x\\n").splitlines())
