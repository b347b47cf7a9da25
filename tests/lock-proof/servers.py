"""Three lock servers on one SQLite file, or on an etcd cluster of three; with certificates, hosts and a user of their own."""
import json
import os
import pathlib
import shutil
import subprocess

from processes import Process, Wishes, die_with_parent, run, wait_until

USER, PASSWORD = "proof", "a password for the proof"


class Party:
    """Who takes part: certificates of a private CA, for the servers and each host."""

    def __init__(self, disco, top, hosts):
        self.disco, self.top, self.hosts = disco, pathlib.Path(top), hosts
        self.ca = self.top / "ca"
        self.certs = self.top / "certs"
        self.certs.mkdir()
        self.pki("init")
        shutil.copy(self.ca / "ca.pem", self.certs / "ca.pem")
        for host in hosts:
            self.issue(host)

    def pki(self, *arguments):
        return run(self.disco, "pki", *arguments, "--dir", self.ca, "--home", self.top / "home")

    def issue(self, name, *more):
        """A certificate and its key, below `certs`."""
        self.pki("issue", name, *more)
        for kind in ("pem", "key"):
            shutil.copy(self.ca / "issued" / f"{name}.{kind}", self.certs / f"{name}.{kind}")


class Servers:
    """The servers; `shim` is the library that shim.c makes."""

    def __init__(self, party, shim, store, addresses, spaces=None):
        self.party, self.store, self.addresses = party, store, addresses
        self.port = 8443
        self.processes, self.wishes = [], []
        names = [argument for address in addresses for argument in ("--san", address)]
        party.issue("server", "--server", *names)
        self.configs = [write_config(party, number, address, store) for number, address in enumerate(addresses, 1)]
        for number, address in enumerate(addresses, 1):
            wishes = Wishes(party.top / f"wishes{number}")
            self.wishes.append(wishes)
            preload = {"LD_PRELOAD": str(shim), "LOCK_PROOF_SHIM": str(wishes.path)}
            argv = [str(party.disco), "dlm", "serve", "--config", str(self.configs[number - 1])]
            space = spaces[number - 1] if spaces else None
            self.processes.append(Process(argv, party.top / f"server{number}.log", space, preload))

    def url(self, number):
        return f"https://{self.addresses[number - 1]}:{self.port}"

    def urls(self):
        return [self.url(number) for number in range(1, len(self.addresses) + 1)]

    def admin(self, *arguments, **more):
        """`disco dlm …` on the servers' store."""
        return run(self.party.disco, "dlm", *arguments, "--config", self.configs[0], "--home", self.party.top / "home", **more)

    def enrol(self):
        """The hosts, and the user who may do everything."""
        for host in self.party.hosts:
            self.admin("host", "add", host)
        self.admin("user", "add", USER, "--admin", input=PASSWORD + "\n")

    def ready(self):
        """Whether every server can decide something."""
        return all(run_ok("curl", "-sf", "--max-time", "2", "--cacert", self.party.certs / "ca.pem", f"{url}/healthz") for url in self.urls())

    def fill(self, chance):
        """Leaves no room where the store writes."""
        self.disk.fill()

    def empty(self):
        self.disk.empty()


def run_ok(*argv):
    return subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0


class SmallDisk:
    """A small file system in memory that can be filled."""

    def __init__(self, path, size):
        self.path = pathlib.Path(path)
        self.path.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "lock-proof", self.path)

    def fill(self):
        with (self.path / "filler").open("wb", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(1 << 16))
            except OSError:
                # That is what it is for; the last bytes one by one.
                try:
                    while True:
                        filler.write(bytes(512))
                except OSError:
                    pass

    def empty(self):
        (self.path / "filler").unlink(missing_ok=True)


class SqliteServers(Servers):
    """Three servers on one file of one machine."""

    def __init__(self, party, shim, spaces, addresses):
        self.disk = SmallDisk(party.top / "store", "24m")
        super().__init__(party, shim, f"sqlite://{self.disk.path}/locks.db", addresses, spaces)


class EtcdServers(Servers):
    """Three servers and three members of an etcd; each node has one of both."""

    def __init__(self, party, shim, spaces, networks):
        peers = [networks.peer_address(number) for number in (1, 2, 3)]
        self.spaces, self.peers, self.members = spaces, peers, []
        self.disks = [SmallDisk(party.top / f"member{number}", "200m") for number in (1, 2, 3)]
        cluster = ",".join(f"m{number}=http://{peer}:2380" for number, peer in enumerate(peers, 1))
        for number, peer in enumerate(peers, 1):
            argv = ["etcd", "--name", f"m{number}", "--data-dir", str(self.disks[number - 1].path / "data"),
                    "--listen-client-urls", f"http://{peer}:2379", "--advertise-client-urls", f"http://{peer}:2379",
                    "--listen-peer-urls", f"http://{peer}:2380", "--initial-advertise-peer-urls", f"http://{peer}:2380",
                    "--initial-cluster", cluster, "--initial-cluster-state", "new", "--initial-cluster-token", "proof"]
            self.members.append(Process(argv, party.top / f"member{number}.log", spaces[number - 1]))
        store = "etcd://" + ",".join(f"{peer}:2379" for peer in peers)
        wait_until("an etcd with a leader", lambda: self.leader_number() is not None)
        super().__init__(party, shim, store, [networks.client_address(number) for number in (1, 2, 3)], spaces)

    def leader_number(self):
        for number, peer in enumerate(self.peers, 1):
            told = subprocess.run(["etcdctl", "--endpoints", f"http://{peer}:2379", "--command-timeout=1s", "endpoint", "status", "-w", "json"],
                                  capture_output=True, text=True, env={**os.environ, "ETCDCTL_API": "3"})
            try:
                status = json.loads(told.stdout)[0]["Status"]
            except (ValueError, LookupError):
                continue
            if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                return number
        return None

    def leader(self):
        wait_until("a leader", lambda: self.leader_number() is not None)
        return self.members[(self.leader_number() or 1) - 1]

    def fill(self, chance):
        self.full = chance.choice(self.disks)
        self.full.fill()

    def empty(self):
        self.full.empty()
        # A member whose disk was full has ended.
        for member in self.members:
            if member.child.poll() is not None:
                member.start()

    def slow_member(self, chance):
        """Each sync of one member takes some more hundredths of a second: strace delays it."""
        member = chance.choice(self.members)
        delay = chance.randint(20_000, 150_000)
        tracer = subprocess.Popen(["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync", "-e",
                                   f"inject=fdatasync:delay_exit={delay}", "-p", str(member.child.pid)],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=die_with_parent)

        def end():
            tracer.terminate()
            tracer.wait()
        return end



def write_config(party, number, address, store, more="", hosts=""):
    """The configuration of a server."""
    certs, path = party.certs, party.top / f"server{number}.toml"
    path.write_text(f"""store = "{store}"
listen = ["{address}:8443"]
log = "warn"
{more}
[tls]
certificate = "{certs}/server.pem"
key = "{certs}/server.key"
client_ca = "{certs}/ca.pem"
[hosts]
{hosts}
""")
    return path
