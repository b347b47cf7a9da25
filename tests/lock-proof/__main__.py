"""The body of scripts/lock-kills: see there."""
import argparse
import pathlib
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import faults
import lock_page
import node

# How many rounds the work has, and how often the log is torn in a full run.
ROUNDS, TORN = 8, 300


class Telling:
    """What is wrong, at once; and how much was judged."""

    def __init__(self):
        self.count, self.wrong, self.lock = 0, 0, threading.Lock()

    def __call__(self, what, wrong):
        with self.lock:
            self.count += 1
            if wrong:
                self.wrong += 1
                print(f"{what}: {'; '.join(wrong[:3])}", flush=True)


def summed(of, verdicts):
    counts = Counter(kind for kind, _, _ in verdicts)
    counts.update(of=of, granted=sum(done.granted for _, done, _ in verdicts), wrong=sum(bool(wrong) for _, _, wrong in verdicts))
    return counts


def told(what, counts):
    print(f"{what}: " + ", ".join(f"{value} {key}" for key, value in counts.items()), flush=True)


def main():
    parser = argparse.ArgumentParser(prog="lock-proof")
    parser.add_argument("--tool", type=pathlib.Path, required=True)
    parser.add_argument("--sample", type=int)
    parser.add_argument("--at-most", type=int)
    parser.add_argument("--seed", type=int)
    wanted = parser.parse_args()
    node.leave_mounts()
    seed = random.SystemRandom().getrandbits(32) if wanted.seed is None else wanted.seed
    most = wanted.sample or wanted.at_most
    tell, start, measured = Telling(), time.monotonic(), lock_page.commit()
    with tempfile.TemporaryDirectory(prefix="disco-lock-proof-") as top, ThreadPoolExecutor(3) as pool:
        found = faults.Faults(wanted.tool.resolve(), top, pool, tell, ROUNDS)
        kills = summed(*found.kills(most))
        told("kills", kills)
        errors = {}
        for error in faults.ERRORS:
            of, verdicts = found.errors(error, most)
            errors[error] = summed(of, verdicts)
            errors[error]["failed"] = len(verdicts)
            told(error, errors[error])
        full = found.full()
        told("a full disk", full)
        some = found.torn(most or TORN, seed)
        torn = {"torn": len(some), "grants": sum(count for count, _ in some), "lost": sum(bool(wrong) for _, wrong in some)}
        told(f"a torn log, seed {seed}", torn)
    # A run in which nothing was stopped would say nothing.
    if kills["killed"] < kills["of"] // 2 and not most:
        sys.exit(f"error: only {kills['killed']} of {kills['of']} kills met their call")
    if not wanted.sample:
        lock_page.write(kills, errors, full | {"small": faults.SMALL}, torn, seed, measured)
    print(f"{tell.count} judged, {tell.wrong} of them wrong, in {time.monotonic() - start:.0f} s")
    sys.exit(1 if tell.wrong else 0)


if __name__ == "__main__":
    main()
