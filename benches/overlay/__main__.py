"""Compares disco's overlay with the native tree and with its peers, and prints one table of it.

To be started by scripts/bench-overlay, which builds, fetches and installs what is needed: root, in mount and pid
namespaces of its own.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

import growth
import machine
import page
import run
from measure import Wrong
from places import Pool
from systems import SYSTEMS
from workloads import QUICK, ROWS, WHOLE, groups

GIB = 1 << 30
# Whose failure means that the run says nothing.
MUST_WORK = {"native", "kernel", "ours"}


def main():
    wanted = arguments()
    started = time.monotonic()
    # All that is mounted here would otherwise stay on the machine.
    if os.getpid() != 1:
        raise SystemExit("error: not alone here; start it with scripts/bench-overlay")
    size = GIB // 2 if wanted.quick else 3 * GIB
    if machine.free() < 4 * size:
        raise SystemExit(f"error: {4 * size / GIB:.0f} GiB of free memory are needed: the file systems are made in memory")
    if wanted.on == "ext4" and not Path("/dev/loop-control").exists():
        raise SystemExit("error: this machine has no loop devices; use --on tmpfs")
    pool = Pool(wanted.top, wanted.on, size)
    systems = [system for system in SYSTEMS if not wanted.fs or system.name in wanted.fs or system.name == "native"]
    if not wanted.quick:
        machine.wait_for_calm()
    found = {"facts": machine.facts(wanted, pool)}
    found["facts"]["quick"] = wanted.quick
    found["facts"]["objects"] = run.objects(pool, (QUICK if wanted.quick else WHOLE).walk)
    found["cells"] = tables(wanted, systems, pool)
    if wanted.growth or "growth" in wanted.only:
        found["growth"] = growth.files(systems, pool, wanted.quick)
    if wanted.growth or "layers" in wanted.only:
        found["layers"] = growth.layers(systems, pool, wanted.quick, wanted.repeat)
    found["facts"]["seconds"] = round(time.monotonic() - started)
    found["growth_built"] = wanted.built
    finish(wanted, found)


def arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench-overlay")
    parser.add_argument("--quick", action="store_true", help="small sizes, once each")
    parser.add_argument("--only", action="append", default=[], choices=[*ROWS, "growth", "layers"], metavar="ROW",
                        help="this row alone, and those that are measured on the same mount")
    parser.add_argument("--fs", action="append", default=[], choices=[system.name for system in SYSTEMS], metavar="NAME",
                        help="this file system alone, and the native tree")
    parser.add_argument("--repeat", type=int, help="measure each row as many times (3)")
    parser.add_argument("--budget", type=float, default=8, help="begin no further turn of a file system after so many seconds")
    parser.add_argument("--on", choices=["ext4", "tmpfs"], default="ext4", help="what lower and upper are on, in memory")
    parser.add_argument("--growth", action="store_true", help="also how cost grows with files and layers")
    parser.add_argument("--output", help="write the results as JSON into this file")
    parser.add_argument("--top", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--package", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--built", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    wanted.repeat = wanted.repeat or (1 if wanted.quick else 3)
    return wanted


def tables(wanted, systems, pool):
    cells = run.Cells()
    every = os.sched_getaffinity(0)
    for one in groups(QUICK if wanted.quick else WHOLE, pool, wanted.package):
        if wanted.only and not any(row.name in wanted.only for row in one.rows):
            continue
        for pinned in [False, True]:
            # Children inherit it: the daemon and its client share one CPU.
            os.sched_setaffinity(0, {min(every)} if pinned else every)
            run.group(one, systems, pool, wanted, pinned, cells)
        os.sched_setaffinity(0, every)
    return cells.values()


def with_growth(found, before):
    """The results with those of growth of an earlier run, and the commit that they are of, where this run has none."""
    if "growth" in found or not before.exists():
        return found
    known = json.loads(before.read_text())
    kept = {part: known[part] for part in ("growth", "layers", "growth_built") if part in known}
    return {**found, **kept}


def finish(wanted, found):
    if wanted.output:
        Path(wanted.output).write_text(json.dumps(found, indent=1))
    if not (wanted.quick or wanted.only or wanted.fs):
        found = with_growth(found, Path(__file__).parent / "results.json")
    text = page.page(found)
    print(text)
    every = [*found["cells"], *found.get("growth", []), *found.get("layers", [])]
    failed = [cell for cell in every if cell.get("end") == "failed"]
    if any(cell["system"] in MUST_WORK for cell in failed):
        raise SystemExit("error: a result was wrong; no page is written")
    if not (wanted.quick or wanted.only or wanted.fs):
        here = Path(__file__).parent
        (here / "README.md").write_text(text)
        (here / "results.json").write_text(json.dumps(found, indent=1))
        print("benches/overlay/README.md and results.json are written", file=sys.stderr)
    if failed:
        raise SystemExit(f"error: {len(failed)} figures of peers failed, as the page says")


if __name__ == "__main__":
    try:
        main()
    except Wrong as error:
        raise SystemExit(f"error: {error}") from error
