"""Compares disco's sandbox with nothing, with bubblewrap and with `try`, and writes one page of it.

To be started by scripts/bench-sandbox, which builds and installs what is needed: root, in mount and pid namespaces of its
own. Nothing is merged: all that is measured is dropped.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "overlay"))
import machine  # noqa: E402
from measure import ENVIRONMENT, Wrong, plain  # noqa: E402
from page import table  # noqa: E402

CHANGES = 1000
CALLS = 20000
# One change a turn of bash, without a program of its own; it tells how long all took.
CHANGE = f"""cd "$1" || exit 1
from=$EPOCHREALTIME
for ((i = 0; i < {CHANGES}; i++)); do echo "changed $i" >>"file$i"; done
to=$EPOCHREALTIME
echo $(( ${{to/./}} - ${{from/./}} ))
"""


class System:
    """A way to run a command: `argv` before it."""

    def __init__(self, name, title, before):
        self.name, self.title, self.before = name, title, before

    def run(self, *argv):
        """What the command prints, and the monotonic time at which it was started, and how long all took."""
        line = [str(word) for word in [*self.before, *argv]]
        began = time.clock_gettime_ns(time.CLOCK_MONOTONIC)
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=ENVIRONMENT, check=False)
        took = (time.clock_gettime_ns(time.CLOCK_MONOTONIC) - began) / 1e9
        if done.returncode:
            raise Wrong(f"{self.name}: {' '.join(line)[:300]}: exit status {done.returncode}: {done.stderr[-300:]}")
        return done.stdout, began, took


def systems(wanted):
    home = wanted.top / "home"
    found = [System("native", "nothing", [])]
    found.append(System("disco", "disco", [wanted.disco, "--home", home, "try", "--"]))
    if shutil.which("bwrap"):
        found.append(System("bwrap", "bubblewrap", ["bwrap", "--unshare-all", "--die-with-parent", "--bind", "/", "/",
                                                    "--dev", "/dev", "--proc", "/proc"]))
    if wanted.try_script:
        # It leaves its layers there.
        (wanted.top / "tries").mkdir()
        found.append(System("try", "try", ["env", f"TMPDIR={wanted.top / 'tries'}", wanted.try_script, "-n"]))
    return found


def measured(wanted, system, row):
    """The values of one row, `repeat` times."""
    values = []
    for _ in range(wanted.repeat):
        if row == "start":
            said, began, _ = system.run(wanted.client, "now")
            values.append((int(said.split()[0]) - began) / 1e9)
        elif row == "true":
            values.append(system.run("/bin/true")[2])
        elif row == "changes":
            said, _, _ = system.run("bash", wanted.script, wanted.tree)
            values.append(int(said.split()[0]) / 1e6)
        else:
            said, _, _ = system.run(wanted.client, row, CALLS)
            values.append(int(said.split()[0]) / 1000)
    return values


def overlay_alone(wanted):
    """The same changes, in a plain mount of the overlay without any sandbox around it."""
    values = []
    for turn in range(wanted.repeat):
        top = wanted.top / f"overlay{turn}"
        upper, work, at = top / "upper", top / "work", top / "at"
        for folder in [upper, work, at]:
            folder.mkdir(parents=True)
        plain(wanted.overlay, "-o", f"lowerdir=/,upperdir={upper},workdir={work}", at)
        try:
            said = plain("chroot", at, "bash", wanted.script, wanted.tree)
            values.append(int(said.split()[0]) / 1e6)
        finally:
            plain("umount", at)
    return values


ROWS = {
    "start": "seconds to the first instruction",
    "true": "seconds for `true`, to the end",
    "changes": f"seconds for {CHANGES} changed files",
    "getppid": "µs a call that is not asked about (`getppid`)",
    "kill": "µs a call that is asked about (`kill`)",
    "connect": "µs a call whose path is read (`connect`)",
    "open": "µs an open to write (`/dev/null`)",
}


def show(found):
    names = list(found["cells"]["start"])
    rows = []
    for row, title in ROWS.items():
        cells = found["cells"][row]
        native = statistics.median(cells["native"])
        line = [title]
        for name in names:
            if name not in cells:
                line.append("")
                continue
            middle = statistics.median(cells[name])
            times = f" ({middle / native:.1f}x)" if name != "native" and native > 0 else ""
            line.append(f"{middle:.4f}{times}" if middle < 1 else f"{middle:.2f}{times}")
        rows.append(line)
    facts = found["facts"]
    busy = facts["load_before"] / facts["cores"]
    alone = statistics.median(found["overlay_alone"])
    ours = statistics.median(found["cells"]["changes"]["disco"])
    asked = max(statistics.median(found["cells"][row]["disco"]) - statistics.median(found["cells"][row]["native"])
                for row in ["kill", "connect", "open"])
    promises = [
        ["start-up to the first instruction", "25 ms", f"{1000 * statistics.median(found['cells']['start']['disco']):.1f} ms"],
        ["`disco try -- true`", "60 ms", f"{1000 * statistics.median(found['cells']['true']['disco']):.1f} ms"],
        [f"{CHANGES} changed files, to the overlay alone ({alone:.3f} s)", "1.3 times", f"{ours / alone:.2f} times"],
        ["a call that is asked about, the slowest of three, beyond what it costs outside", "20 µs", f"{asked:.1f} µs"],
    ]
    versions = ", ".join(f"{name} {version}" for name, version in facts["peers"].items()) or "no peer was here"
    return f"""# What the sandbox costs

`scripts/bench-sandbox` has measured this and written this page on {facts['date']}; every figure is its own, the median of
{facts['repeat']} turns. {facts['cores']} cores of {facts['processor']}, Linux {facts['kernel']}, {facts['system']}, `/` on {facts['root']}; {versions};
disco (commit {facts['built']}) as a release build. The load before the run was {facts['load_before']:.1f}{', **too busy for figures**' if busy > machine.CALM else ''}.

{table(["", "at most", "measured"], promises)}
In parentheses: times as much as without any sandbox.

{table(["", *[found['titles'][name] for name in names]], rows)}
bubblewrap has all namespaces of its own, and no overlay: what is changed there is changed. `try` keeps its overlay's
mounts and runs its command in a shell. The changes are made by one bash, by appending to files that are there.
"""


def peers(wanted):
    found = {}
    if shutil.which("bwrap"):
        found["bubblewrap"] = plain("bwrap", "--version").split()[-1]
    if wanted.try_script:
        said = subprocess.run([wanted.try_script, "-v"], capture_output=True, text=True, check=False)
        found["try"] = (said.stdout + said.stderr).split()[-1]
    return found


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench-sandbox")
    parser.add_argument("--repeat", type=int, default=15, help="measure each row as many times (15)")
    parser.add_argument("--try-script", type=Path, help="the script of `try` to compare with; it is not packaged")
    parser.add_argument("--patience", type=float, default=300, help="wait so many seconds for a calm machine (300)")
    parser.add_argument("--no-page", action="store_true", help="print the page, and leave the files as they are")
    for name in ["top", "disco", "overlay", "client"]:
        parser.add_argument(f"--{name}", type=Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--built", default="", help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if os.getpid() != 1:
        raise SystemExit("error: not alone here; start it with scripts/bench-sandbox")
    wanted.budget = None
    wanted.tree = wanted.top / "tree"
    wanted.tree.mkdir()
    wanted.script = wanted.top / "change.sh"
    wanted.script.write_text(CHANGE)
    for number in range(CHANGES):
        (wanted.tree / f"file{number}").write_text("as it was\n")
    machine.wait_for_calm(wanted.patience)

    class On:
        kind = "the root"

    facts = machine.facts(wanted, On)
    facts["peers"] = peers(wanted)
    every = systems(wanted)
    cells = {row: {} for row in ROWS}
    for row in ROWS:
        for system in every:
            # Their calls are those of the kernel: nobody is asked.
            if row in {"getppid", "kill", "connect", "open"} and system.name not in {"native", "disco"}:
                continue
            # What is changed there is changed: the peers that drop nothing have a tree of their own.
            cells[row][system.name] = measured(wanted, system, row)
    found = {"facts": facts, "cells": cells, "overlay_alone": overlay_alone(wanted),
             "titles": {system.name: system.title for system in every}}
    text = show(found)
    print(text)
    if not wanted.no_page:
        here = Path(__file__).parent
        (here / "README.md").write_text(text)
        (here / "results.json").write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    try:
        main()
    except Wrong as error:
        raise SystemExit(f"error: {error}") from error
