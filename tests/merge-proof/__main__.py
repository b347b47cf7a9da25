"""The body of scripts/merge-kills and scripts/merge-powercut: see there."""
import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import calls
import disks
import errors
import judge
import kills
import node
import page
import powercut
from bench import Bench

# How large the large files are; and once, with few kills.
SIZE, LARGE, FEW = 1 << 20, 64 << 20, 40
# After how many of the kills of a merge its recovery is killed too, in a full run.
FIRSTS = 8
# How many random moments each recording is cut at, in a full run, and how many flushes of one in company.
MOMENTS, FLUSHES = 60, 80


class Telling:
    """What goes on, for whoever waits; and what is wrong, at once."""

    def __init__(self):
        self.count, self.wrong, self.lock = 0, 0, threading.Lock()

    def __call__(self, what, verdict):
        with self.lock:
            self.count += 1
            if not verdict.is_good:
                self.wrong += 1
                why = "; ".join(verdict.why[:3]) + (f"; and {len(verdict.why) - 3} more" if len(verdict.why) > 3 else "")
                print(f"{what}: {verdict.state}: {why}\n    disco said: {verdict.said}", flush=True)


def summed(name, verdicts):
    """A row of the page."""
    states = [verdict.state for verdict in verdicts]
    wrong = sum(not verdict.is_good for verdict in verdicts)
    return {"part": name, "calls": len(verdicts), "before": states.count("before"), "after": states.count("after"), "wrong": wrong}


def halves(found, ends):
    """What was killed before the first kill that did not stop it, and what later."""
    states = [verdict.state for _, verdict in found]
    turn = states.index(ends) if ends in states else len(states)
    return [verdict for _, verdict in found[:turn]], [verdict for _, verdict in found[turn:]]


def run_kills(bench, pool, tell, most, firsts):
    killer, rows = kills.Kills(bench, pool, tell), []

    def note(name, verdicts, of=None):
        rows.append(summed(name, verdicts) | {"of": of})
        print(f"{name}: " + ", ".join(f"{value} {key}" for key, value in rows[-1].items() if key != "part"), flush=True)

    for part in kills.PARTS:
        there, found = killer.some(part, most)
        verdicts = killer.each(part, found)
        early, late = halves(verdicts, part.ends)
        for verdict in late:
            if verdict.state != part.ends:
                verdict.why.append("an earlier kill was survived, and this one was not")
        note(f"{part.name}, up to its point of no return", early, there)
        note(f"{part.name}, from there on", late, there)
        # Where there is a journal, so that there is something to recover.
        again = []
        for first in calls.spread(found[len(found) // 8:], firsts):
            recovery = killer.recovery(part, first)
            again += killer.each(recovery, calls.spread(killer.calls(recovery), most and max(most // 8, 2)))
        note(f"recovery after {part.name}", [verdict for _, verdict in again])
    found = {"firsts": firsts, "parts": rows, "errors": []}
    failer = errors.Errors(bench, pool, tell)
    for error, wanted in failer.wanted(most and most // 2).items():
        these = failer.each(error, wanted)
        kinds = these.counts
        found["errors"].append({
            "error": error, "calls": sum(kinds.values()), "done": kinds["done all the same"],
            "before": sum(count for kind, count in kinds.items() if kind.startswith("refused, before")),
            "after": sum(count for kind, count in kinds.items() if kind.startswith("refused, after")),
            "wrong": len(these.wrong),
        })
        print(f"{error}: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items()), flush=True)
    return found


def run_large(bench, pool, tell):
    """The same with large files, whose content takes many calls."""
    killer = kills.Kills(bench, pool, tell)
    there = killer.calls(kills.PARTS[0])
    found = calls.spread(there, FEW)
    verdicts = [verdict for _, verdict in killer.each(kills.PARTS[0], found)]
    return summed(f"merge, with files of {LARGE >> 20} MiB", verdicts) | {"of": len(there)}


def one_row(system, work, company, recording, found):
    return {
        "system": system.name, "what": work.name, "company": company,
        "writes": sum(record.deed == disks.WRITE for record in recording.records),
        "flushes": len(disks.flushes(recording.records)), "states": found.states, "before": found.counts["before"],
        "after": found.counts["after"], "broken": found.counts["broken"], "wrong": len(found.wrong),
    }


def run_cuts(bench, pool, tell, program, most, seed):
    """The rows of the page; the work by hand must be found broken."""
    cutter, rows = powercut.Cuts(bench, program, pool, tell), []
    for system in disks.SYSTEMS:
        for work in powercut.WORKS:
            for company in (False, True):
                recording = cutter.record(system, work, company)
                cuts = cutter.cuts(recording, seed, most or MOMENTS, most or (FLUSHES if company else None))
                row = one_row(system, work, company, recording, cutter.judge(recording, cuts, work))
                rows.append(row)
                print(", ".join(f"{key} {value}" for key, value in row.items()), flush=True)
        if not sum(row["broken"] for row in rows if row["system"] == system.name and row["what"] == powercut.BY_HAND):
            raise SystemExit(f"error: {system.name}: what was done by hand was never found broken: this cannot tell")
    return {"seed": seed, "systems": rows}


def main():
    parser = argparse.ArgumentParser(prog="merge-proof")
    parser.add_argument("what", choices=["kills", "cuts"])
    parser.add_argument("--disco", type=pathlib.Path, required=True)
    parser.add_argument("--powercut", type=pathlib.Path)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--at-most", type=int)
    parser.add_argument("--seed", type=int)
    wanted = parser.parse_args()
    node.leave_mounts()
    seed = random.SystemRandom().getrandbits(32) if wanted.seed is None else wanted.seed
    most = wanted.sample or wanted.at_most
    tell, start, measured = Telling(), time.monotonic(), page.commit()
    with tempfile.TemporaryDirectory(prefix="disco-merge-proof-") as top, ThreadPoolExecutor(2) as pool:
        node.mount("-t", "tmpfs", "-o", "mode=700,size=8g", "merge-proof", top)
        try:
            if wanted.what == "kills":
                bench = Bench(f"{top}/work", SIZE)
                bench.lay(wanted.disco)
                found = run_kills(bench, pool, tell, most, 2 if wanted.sample else FIRSTS)
                if not wanted.sample:
                    bench = Bench(f"{top}/large", LARGE)
                    bench.lay(wanted.disco)
                    found["parts"].append(run_large(bench, pool, tell))
            else:
                print(f"seed {seed}", flush=True)
                bench = Bench(f"{top}/work", SIZE)
                bench.lay(wanted.disco)
                found = run_cuts(bench, pool, tell, wanted.powercut, most, seed)
        finally:
            node.run("umount", "--lazy", top)
    if not wanted.sample:
        page.keep(wanted.what, found, measured)
    print(f"{tell.count} judged, {tell.wrong} of them wrong, in {time.monotonic() - start:.0f} s")
    sys.exit(1 if tell.wrong else 0)


if __name__ == "__main__":
    main()
