"""The body of scripts/lock-histories: see there."""
import argparse
import json
import pathlib
import random
import subprocess
import tempfile
import time

import page
from faults import ETCD, SQLITE
from networks import Networks
from processes import run, wait_until
from servers import PASSWORD, USER, EtcdServers, Party, SqliteServers

HERE = pathlib.Path(__file__).parent
HOSTS = [f"client{number}.example" for number in range(1, 8)]


class Bench:
    """A store with its servers, and the clients that ask them."""

    def __init__(self, options, store, top, networks, shim):
        self.drive, self.networks, self.top = options.drive, networks, pathlib.Path(top)
        party = Party(options.disco, top, HOSTS)
        spaces = [networks.space(number) for number in (1, 2, 3)]
        addresses = [networks.client_address(number) for number in (1, 2, 3)]
        if store == "sqlite":
            self.servers = SqliteServers(party, shim, spaces, addresses)
        else:
            self.servers = EtcdServers(party, shim, spaces, networks)
        self.servers.enrol()
        self.party, self.count = party, 0
        wait_until(f"three servers on {store}", self.servers.ready, 30, self.servers.complaints)

    def history(self, fault, seed):
        """One history under one fault, in which something was granted: what the clients' program found."""
        # On a machine that is busy with other things all requests of one can run out of time: that proves nothing, for or against.
        for again in range(3):
            found = self.one(fault, seed + again * 1_000_000)
            if found["granted"] or found["wrong"]:
                return found
            print(f"{fault.name}, seed {seed}: nothing was granted in {found['calls']} requests, once more", flush=True)
        raise SystemExit(f"error: {fault.name}, seed {seed}: nothing is ever granted\n{self.servers.complaints()}")

    def one(self, fault, seed):
        """One history: what the clients' program found."""
        self.count += 1
        chance = random.Random(seed)
        wait_until("all servers before a history", self.servers.ready, 60, self.servers.complaints)
        out = self.top / "history"
        argv = [self.drive, "history", "--certs", self.party.certs, "--hosts", ",".join(HOSTS), "--user", f"{USER}:{PASSWORD}",
                "--prefix", f"h{seed}-{self.count}", "--seed", str(seed), "--out", out]
        for url in self.servers.urls():
            argv += ["--server", url]
        clients = subprocess.Popen([str(argument) for argument in argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(chance.uniform(0.3, 1.0))
        end = fault.begin(self, chance)
        time.sleep(chance.uniform(*fault.seconds))
        end()
        said, complaints = clients.communicate(timeout=120)
        if clients.returncode not in (0, 1):
            raise SystemExit(f"error: {fault.name}, seed {seed}: {complaints}")
        found = json.loads(said)
        if found["wrong"]:
            kept = pathlib.Path(tempfile.gettempdir()) / f"lock-history-{seed}"
            kept.write_bytes(out.read_bytes())
            print(f"{fault.name}, seed {seed}: {'; '.join(found['wrong'])}\n    all calls: {kept}", flush=True)
        return found

    def close(self):
        for process in [*self.servers.processes, *getattr(self.servers, "members", [])]:
            process.go_on()
            process.kill()
        self.servers.unmount()


def main():
    parser = argparse.ArgumentParser(prog="lock-histories")
    parser.add_argument("--disco", required=True)
    parser.add_argument("--drive", required=True)
    parser.add_argument("--store", choices=["sqlite", "etcd"])
    parser.add_argument("--fault", help="only faults whose name has this in it; nothing is written")
    parser.add_argument("--sample", type=int, help="so many histories of each store, each with another fault; nothing is written")
    parser.add_argument("--rounds", type=int, default=12, help="how many histories of each fault and store")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 24))
    options = parser.parse_args()
    networks = Networks()
    rows, wrong, begun = [], 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lock-histories-", ignore_cleanup_errors=True) as top:
        top = pathlib.Path(top)
        shim = top / "shim.so"
        run("cc", "-shared", "-fPIC", "-O2", "-o", shim, HERE / "shim.c", "-ldl")
        for store, faults in (("sqlite", SQLITE), ("etcd", ETCD)):
            if options.store not in (None, store):
                continue
            (top / store).mkdir()
            bench = Bench(options, store, top / store, networks, shim)
            try:
                chance = random.Random(options.seed)
                few = chance.sample(faults[1:], options.sample) if options.sample else faults
                few = [fault for fault in few if (options.fault or "") in fault.name]
                for fault in few:
                    found = [bench.history(fault, options.seed * 100 + number) for number in range(1 if options.sample else options.rounds)]
                    row = page.summed(store, fault.name, found)
                    wrong += row["wrong"]
                    rows.append(row)
                    print(", ".join(f"{name} {value}" for name, value in row.items()), flush=True)
            finally:
                bench.close()
    seconds = round(time.monotonic() - begun)
    count = sum(row["histories"] for row in rows)
    print(f"{count} histories, {wrong} of them wrong, seed {options.seed}, in {seconds} s")
    if not (options.sample or options.store or options.fault):
        page.keep(rows, options.seed, seconds)
    undecided = sum(row["undecided"] for row in rows)
    if undecided:
        print(f"{undecided} searches were given up: those locks are not judged")
    raise SystemExit(1 if wrong or undecided else 0)


main()
