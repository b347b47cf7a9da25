"""A server whose store is large: how much memory it takes, and how long its lists take."""
import statistics
import subprocess

from servers import PASSWORD, USER, run

LOCKS, EVENTS = 100_000, 1_000_000
ASKED = [
    ("locks, the first page", "/api/dlmlocks?per_page=20"),
    ("locks, the last page", f"/api/dlmlocks?per_page=20&page={LOCKS // 20}"),
    ("locks, by time of change, newest first", "/api/dlmlocks?per_page=20&order=updated_at%20DESC"),
    ("locks, by holder", "/api/dlmlocks?per_page=20&order=host%20ASC"),
    ("locks whose name is like 777", "/api/dlmlocks?per_page=20&search=name~777"),
    ("one lock", "/api/dlmlocks/lock%2077"),
    ("events of a lock with few", "/api/dlmlocks/78/dlmlock_events?per_page=20"),
    ("events of all locks, the newest, disco's wire", "/disco/v1/events?limit=100"),
]


def large(bench, tool, memory):
    """Memory at rest, after these, and after clients have worked on it; the times of each."""
    store = bench.top / "large.db"
    run(tool, "fill", store, str(LOCKS), str(EVENTS))
    server = bench.serve(f"sqlite://{store}")
    found = {"locks": LOCKS, "events": EVENTS, "file_mib": round(store.stat().st_size / 2**20), "memory": [("at rest", memory(server))], "times": []}
    for what, path in ASKED:
        times = [answer(bench, path) for _ in range(9)]
        found["times"].append((what, round(statistics.median(times), 1)))
    found["memory"].append(("after these lists", memory(server)))
    row = bench.drive("pairs", "--hosts", ",".join(bench.party.hosts[:8]), "--seconds", str(bench.options.seconds), "--wire", "native", "--prefix", "large")
    found["pairs_a_second"] = row["pairs_a_second"]
    found["memory"].append((f"after {row['pairs_a_second'] * bench.options.seconds:.0f} pairs by eight clients", memory(server)))
    server.kill()
    print(found, flush=True)
    return found


def answer(bench, path):
    """From the request until the whole answer, in milliseconds; the handshake apart."""
    argv = ["curl", "-sf", "-o", "/dev/null", "-w", "%{time_total} %{time_pretransfer}", "--cacert", str(bench.party.certs / "ca.pem"),
            "-u", f"{USER}:{PASSWORD}", bench.url + path]
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"error: {path}: curl says {done.returncode}")
    total, before = done.stdout.split()
    return (float(total) - float(before)) * 1000


def page(found):
    """The section about it."""
    text = f"""
## A store of {found["locks"]:,} locks and {found["events"]:,} events

{found["file_mib"]} MiB on disk. Memory of the server, resident, and the most there was: """
    text += "; ".join(f"{when} {now} ({most}) MiB" for when, (most, now) in found["memory"])
    text += f""". Eight clients make {found["pairs_a_second"]:.0f} pairs a second on it.

| asked over HTTPS by a user | ms, the handshake apart |
|---|---|
"""
    return text + "".join(f"| {what} | {ms} |\n" for what, ms in found["times"])
