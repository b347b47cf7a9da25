"""Measures every case inside a throw-away root, and writes what it found as JSON.

Tools take turns (A B C, A B C), so that whatever else happens on the machine happens to all of them.
"""

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import cases
import measure
import peers

# No run of a peer may take longer, in seconds; our own and the plain commands, which show whether cost is linear, may. And
# no more runs of a tool in a cell than fit into the last two.
LIMIT = 60
OWN_LIMIT = 180
ENOUGH = 5
OWN_ENOUGH = 12


def main():
    wanted = arguments()
    # Cases write to /etc and run tools live: never on the machine itself.
    if "throwaway-root" not in Path("/proc/1/cmdline").read_text():
        raise SystemExit("error: this is no throw-away root; start it with scripts/bench")
    cases.TOP.mkdir()
    for warm in (["disco", "--version"], *[argv for argv in VERSIONS.values()]):
        subprocess.run(warm, capture_output=True, check=False)
    found = {"facts": facts(wanted), "cells": []}
    before = {}
    for name, (make, sizes, sample) in cases.CASES.items():
        if wanted.only and name not in wanted.only:
            continue
        for size in sample if wanted.quick else sizes:
            for cell in make(size):
                found["cells"] += measured(cell, wanted, before)
            if (cases.TOP / f"{name}-{size}").exists():
                shutil.rmtree(cases.TOP / f"{name}-{size}")
    found["facts"]["seconds"] = round(time.monotonic() - STARTED)
    found["facts"]["load_after"] = os.getloadavg()[0]
    with open(wanted.output, "w", encoding="utf-8") as out:
        json.dump(found, out)


def arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", action="append", default=[], choices=cases.CASES)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--output", required=True)
    parser.add_argument("--built", default="")
    return parser.parse_args()


def measured(cell, wanted, before):
    """Runs all tools of a cell in turn, and returns a row for each."""
    runs = [run for run in cell.runs if not (wanted.without_peers and is_peer(run.tool))]
    rows = {run.tool: {"case": cell.case, "size": cell.size, "phase": cell.phase, "tool": run.tool, "wall": [],
                       "cpu": []} for run in runs}
    print(f"{cell.case} {cell.size} {cell.phase}", end="", file=sys.stderr, flush=True)
    for turn in range(wanted.repeat):
        for run in runs:
            row = rows[run.tool]
            enough = ENOUGH if is_peer(run.tool) else OWN_ENOUGH
            if "end" in row or turn and sum(row["wall"]) * (turn + 1) / turn > enough:
                continue
            once(cell, run, row, before, turn)
    if cell.memory:
        for run in runs:
            if "end" not in rows[run.tool] and max(rows[run.tool]["wall"]) < LIMIT / 4:
                run.prepare()
                rows[run.tool]["memory"] = measure.memory(run.argv, LIMIT, "/tmp/output", run.environment)
    short = [f"{tool} {min(row['wall']):.3f}" if row["wall"] else f"{tool} {row['end']}" for tool, row in rows.items()]
    print(": " + ", ".join(short), file=sys.stderr, flush=True)
    return list(rows.values())


def once(cell, run, row, before, turn):
    if turn == 0 and hopeless(cell, run, before):
        row["end"] = "skipped"
        return
    run.prepare()
    limit = LIMIT if is_peer(run.tool) else OWN_LIMIT
    done = measure.run(run.argv, limit, "/tmp/output", run.environment)
    wrong = None if done["over"] or done["status"] not in run.good else run.wrong("/tmp/output")
    if done["over"]:
        row["end"] = "over"
        before[(cell.case, cell.phase, run.tool)] = None
    elif done["status"] not in run.good or wrong:
        # A figure of something that did not work says nothing.
        row["end"] = "failed"
        row["why"] = wrong or f"exit status {done['status']}"
        row["wall"], row["cpu"] = [], []
        words = Path("/tmp/output").read_text(errors="replace")[-2000:]
        print(f"\n{run.tool}: {row['why']}\n{words}", file=sys.stderr)
    else:
        row["wall"].append(done["wall"])
        row["cpu"].append(done["cpu"])
        before.setdefault((cell.case, cell.phase, run.tool), []).append((cell.size, done["wall"]))


def hopeless(cell, run, before):
    """Whether a tool would run into the limit: a smaller size did, or two smaller ones say so."""
    seen = before.get((cell.case, cell.phase, run.tool), [])
    if seen is None:
        return True
    sizes = {size: wall for size, wall in seen if size < cell.size}
    if len(sizes) < 2:
        return False
    (small, short), (large, long) = sorted(sizes.items())[-2:]
    limit = LIMIT if is_peer(run.tool) else OWN_LIMIT
    return long + (long - short) / (large - small) * (cell.size - large) > limit


def is_peer(tool):
    return tool in (peers.CFENGINE, peers.PUPPET, peers.ANSIBLE)


VERSIONS = {"disco": ["disco", "--version"], "cfengine": ["cf-agent", "--version"], "puppet": ["puppet", "--version"],
            "ansible": ["ansible-playbook", "--version"], "rsync": ["rsync", "--version"], "bash": ["bash", "--version"]}


def version(argv):
    said = subprocess.run(argv, capture_output=True, text=True, check=False).stdout
    number = re.search(r"\d+\.\d+(\.\d+)?", said)
    return number.group() if number else "unknown"


def facts(wanted):
    """What the figures depend on."""
    memory = re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text())
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "built": wanted.built,
        "cores": len(os.sched_getaffinity(0)),
        "processor": model.group(1) if model else platform.machine(),
        "memory_gib": round(int(memory.group(1)) / 1024**2),
        "kernel": platform.release(),
        "system": release["PRETTY_NAME"].strip('"'),
        "versions": {tool: version(argv) for tool, argv in VERSIONS.items()},
        "load_before": os.getloadavg()[0],
        "repeat": wanted.repeat,
        "limit": LIMIT,
        "whole": not (wanted.quick or wanted.only or wanted.without_peers),
    }


STARTED = time.monotonic()
if __name__ == "__main__":
    main()
