"""What was found, kept in results.json, and told in docs/lock-histories.md."""
import json
import pathlib
import subprocess

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parents[1] / "docs/lock-histories.md"
HEAD = """# The proof of the lock server

`scripts/lock-histories` wrote this at commit {commit}, in {minutes} minutes, with seed {seed}. Seven hosts and a user ask three servers for four
locks, over TLS, at random: acquire, release (on disco's wire and on Foreman's), show, force, enable, disable, change the slots, remove. Each notes
when it asked, when the answer came, and what it said; an answer that never came, or a 503, is an unknown outcome. Meanwhile something goes wrong.
Then each lock's history is searched for an order of all requests that the rules (`disco_dlm::rules`) explain and real time allows (`disco_dlm::check`:
linearizability). Two checks that know no rules come on top: that no more hosts held a lock for certain than it had slots, and that tokens grow.

The three servers share one SQLite file on a small disk in memory, or a cluster of three etcd members; each server and member has a network
namespace of its own, so that a node can be cut off from the others while its clients still reach it. Clocks are stepped, and syncs slowed, by a
library that is loaded into the servers (`tests/lock-proof/shim.c`).

| store | fault | histories | requests | granted | refused | unknown | undecided | wrong |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""
FOOT = """
All: {histories} histories, {calls} requests, {wrong} wrong. `undecided` are searches that were given up: they are neither.
That the check can fail is shown by the model of a server that reads, then writes by id (`dlm/src/check/history_tests.rs`).
"""


def summed(store, fault, found):
    """A row of the page."""
    total = {name: sum(one[name] for one in found) for name in ("calls", "granted", "refused", "unknown", "undecided")}
    return {"store": store, "fault": fault, "histories": len(found), **total, "wrong": sum(bool(one["wrong"]) for one in found)}


def keep(rows, seed, seconds):
    """Writes both."""
    said = subprocess.run(["git", "log", "-1", "--format=%h of %cs"], cwd=HERE, capture_output=True, text=True)
    commit = said.stdout.strip() or "of a tree without git"
    (HERE / "results.json").write_text(json.dumps({"commit": commit, "seed": seed, "rows": rows}, indent=1) + "\n")
    text = HEAD.format(commit=commit, minutes=round(seconds / 60), seed=seed)
    names = ("store", "fault", "histories", "calls", "granted", "refused", "unknown", "undecided", "wrong")
    text += "".join("| " + " | ".join(str(row[name]) for name in names) + " |\n" for row in rows)
    totals = {name: sum(row[name] for row in rows) for name in ("histories", "calls", "wrong")}
    PAGE.write_text(text + FOOT.format(**totals))
