"""The body of scripts/bench-lock: see there."""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(1, str(ROOT / "tests/lock-histories"))

import large  # noqa: E402
from processes import Process, run, wait_until  # noqa: E402
from servers import PASSWORD, USER, Party, run_ok, write_config  # noqa: E402

RACERS = [f"racer{number}.example" for number in range(1, 41)]
AIRLOCK = """[status]
enabled = false
[service]
address = "127.0.0.1"
port = 3333
tls = false
[etcd3]
endpoints = ["http://127.0.0.1:2379"]
[lock]
default_group_name = "default"
default_slots = 2
"""


class Bench:
    """Servers of each kind, one at a time, on this machine's own loopback in a network of its own."""

    def __init__(self, options, top):
        self.options, self.top = options, pathlib.Path(top)
        self.party = Party(options.disco, top, RACERS)
        self.party.issue("server", "--server", "--san", "127.0.0.1")
        self.url = "https://127.0.0.1:8443"

    def serve(self, store):
        """A lock server on this store, with the racers enrolled."""
        config = write_config(self.party, 1, "127.0.0.1", store, 'fleetlock = "anybody"\n')
        server = Process([str(self.options.disco), "dlm", "serve", "--config", str(config)], self.top / "server.log")
        wait_until("a server", lambda: run_ok("curl", "-sf", "--cacert", self.party.certs / "ca.pem", f"{self.url}/healthz"))
        if not run(self.options.disco, "dlm", "host", "ls", "--config", config, "--home", self.top / "home").strip().count(RACERS[0]):
            for host in RACERS:
                run(self.options.disco, "dlm", "host", "add", host, "--config", config, "--home", self.top / "home")
            run(self.options.disco, "dlm", "user", "add", USER, "--admin", "--config", config, "--home", self.top / "home",
                input=PASSWORD + "\n")
        return server

    def etcd(self):
        data = self.top / "etcd"
        shutil.rmtree(data, ignore_errors=True)
        member = Process(["etcd", "--data-dir", str(data)], self.top / "etcd.log")
        wait_until("an etcd", lambda: run_ok("curl", "-sf", "http://127.0.0.1:2379/health"))
        return member

    def drive(self, what, *arguments, url=None):
        """What the clients' program printed."""
        argv = [self.options.drive, what, "--server", url or self.url, "--certs", self.party.certs, *arguments]
        done = subprocess.run([str(argument) for argument in argv], capture_output=True, text=True)
        if done.returncode not in (0, 1) or not done.stdout:
            raise SystemExit(f"error: {what}: {done.returncode} {done.stderr}")
        if done.stderr:
            print(done.stderr[:500], file=sys.stderr)
        return json.loads(done.stdout)


def memory(process):
    """Peak and present resident memory, in MiB."""
    lines = pathlib.Path(f"/proc/{process.child.pid}/status").read_text().splitlines()
    value = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return round(int(value["VmHWM"]) / 1024, 1), round(int(value["VmRSS"]) / 1024, 1)


def measure(bench):
    """Each row: what, and by which server."""
    seconds = str(bench.options.seconds)
    found = {"pairs": [], "race": [], "poll": None, "memory": []}

    def pairs(name, clients, wire, url=None):
        row = bench.drive("pairs", "--hosts", ",".join(RACERS[:clients]), "--seconds", seconds, "--wire", wire,
                          "--prefix", f"pairs{len(found['pairs'])}", url=url)
        found["pairs"].append({"server": name, "clients": clients, "wire": wire, **row})
        print(found["pairs"][-1], flush=True)

    def race(name, wire, lock, url=None):
        row = bench.drive("race", "--hosts", ",".join(RACERS), "--lock", lock, "--wire", wire, url=url)
        found["race"].append({"server": name, **row})
        print(found["race"][-1], flush=True)

    store = f"sqlite://{bench.top}/locks.db"
    server = bench.serve(store)
    for clients in (1, 8, 32):
        pairs("disco, SQLite", clients, "native")
    pairs("disco, SQLite", 8, "fleetlock")
    policy(bench, "race")
    race("disco, SQLite", "native", "race")
    found["memory"].append({"when": "after that", "mib": memory(server)})
    server.kill()
    member = bench.etcd()
    server = bench.serve("etcd://127.0.0.1:2379")
    for clients in (1, 8, 32):
        pairs("disco, etcd", clients, "native")
    pairs("disco, etcd", 8, "fleetlock")
    policy(bench, "race")
    race("disco, etcd", "native", "race")
    server.kill()
    member.kill()
    if bench.options.airlock:
        member = bench.etcd()
        config = bench.top / "airlock.toml"
        groups = "".join(f'[[lock.groups]]\nname = "pairs{number}.{client}"\nslots = 1\n' for number in range(20) for client in range(40))
        config.write_text(AIRLOCK + groups)
        airlock = Process([bench.options.airlock, "serve", "-c", str(config)], bench.top / "airlock.log")
        url = "http://127.0.0.1:3333"
        wait_until("airlock", lambda: run_ok("curl", "-s", url))
        for clients in (1, 8, 32):
            pairs("airlock, etcd", clients, "fleetlock", url)
        race("airlock, etcd", "fleetlock", "default", url)
        airlock.kill()
        member.kill()
    return found


def policy(bench, lock):
    """Two slots for the lock, made by the user."""
    ca = bench.party.certs / "ca.pem"
    run("curl", "-sf", "--cacert", ca, "-u", f"{USER}:{PASSWORD}", "-H", "Content-Type: application/json", "-X", "PUT",
        "-d", json.dumps({"policy": {"slots": {"number": 2}}}), f"{bench.url}/disco/v1/locks/{lock}")


def poll(bench, hosts):
    """So many hosts, each of which asks once a minute over a new connection."""
    names = [f"node{number}.example" for number in range(hosts)]
    listed = bench.top / "hosts"
    listed.write_text("\n".join(names) + "\n")
    run(bench.options.drive, "certificates", "--ca", bench.party.ca, "--hosts", listed, "--out", bench.party.certs)
    config = write_config(bench.party, 1, "127.0.0.1", f"sqlite://{bench.top}/poll.db", "", 'auto_create = "cert"\n')
    server = Process([str(bench.options.disco), "dlm", "serve", "--config", str(config)], bench.top / "server.log")
    wait_until("a server", lambda: run_ok("curl", "-sf", "--cacert", bench.party.certs / "ca.pem", f"{bench.url}/healthz"))
    row = bench.drive("poll", "--hosts", listed, "--rate", str(hosts / 60), "--seconds", "60")
    row["memory_mib"] = memory(server)
    server.kill()
    print(row, flush=True)
    return row


def main():
    parser = argparse.ArgumentParser(prog="bench-lock")
    parser.add_argument("--disco", required=True)
    parser.add_argument("--drive", required=True)
    parser.add_argument("--fill", required=True, help="the program that fills a store")
    parser.add_argument("--built", default="")
    parser.add_argument("--airlock", help="a built airlock, to be measured beside")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--hosts", type=int, default=10000)
    options = parser.parse_args()
    load = os.getloadavg()[0]
    # On a disk, not in memory: what is measured is durable.
    with tempfile.TemporaryDirectory(prefix="bench-lock-", dir=options.disco and ROOT / "target") as top:
        bench = Bench(options, top)
        found = measure(bench)
        found["poll"] = poll(bench, options.hosts)
        found["large"] = large.large(bench, options.fill, memory)
    found["built"], found["load"], found["day"] = options.built, load, time.strftime("%Y-%m-%d")
    here = pathlib.Path(__file__).parent
    (here / "results.json").write_text(json.dumps(found, indent=1) + "\n")
    (here / "README.md").write_text(page(found))


def page(found):
    text = f"""# The lock server, measured

`scripts/bench-lock` has written this, at {found["built"]}, with {os.cpu_count()} CPUs for clients and servers together, the load {found["load"]:.1f} before it.
disco speaks TLS with client certificates; airlock (coreos/airlock, where one was given) speaks plain HTTP. Both stores sync before they answer. etcd has one member.

## Acquire and release, each client with a lock of its own

| server | wire | clients | pairs a second | refused or lost |
|---|---|---|---|---|
"""
    for row in found["pairs"]:
        text += f"| {row['server']} | {row['wire']} | {row['clients']} | {row['pairs_a_second']:.0f} | {row['refused'] + row['lost']} |\n"
    text += "\n## 40 clients race for 2 slots\n\n| server | granted | told to the others |\n|---|---|---|\n"
    for row in found["race"]:
        told = ", ".join(f"{count} {why}" for why, count in row["refused"].items())
        text += f"| {row['server']} | {row['granted']} | {told} |\n"
    row = found["poll"]
    text += f"""
## {row["hosts"]:,} hosts, each of which asks once a minute

Over a new connection each time, with its own certificate; ten share a lock. From when a request was due until its answer.

{row["requests"]:,} requests in {row["seconds"]:.0f} s, {row["lost"]} lost: median {row["p50_ms"]:.1f} ms, 99 % {row["p99_ms"]:.1f} ms, longest {row["max_ms"]:.0f} ms.
Most memory of the server {row["memory_mib"][0]} MiB.
"""
    return text + large.page(found["large"])


main()
