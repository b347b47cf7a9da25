"""What goes wrong while clients ask: each fault begins, lasts a while, and ends; what it stopped runs again afterwards."""
import time


class Fault:
    """One kind; `begin` is told the bench and a source of chance, and gives what ends it."""

    def __init__(self, name, begin):
        self.name, self.begin = name, begin


def kill_server(bench, chance):
    """Killed again and again at moments of chance: between a commit and its reply, too."""
    server = chance.choice(bench.servers.processes)

    def end():
        for _ in range(3):
            server.kill()
            time.sleep(chance.uniform(0, 0.1))
            server.start()
            time.sleep(chance.uniform(0.1, 0.4))
        server.restart()
    return end


def kill_all_servers(bench, chance):
    for server in bench.servers.processes:
        server.kill()
    time.sleep(chance.uniform(0, 0.3))

    def end():
        for server in bench.servers.processes:
            server.start()
    return end


def stop_server(bench, chance):
    server = chance.choice(bench.servers.processes)
    server.stop()
    return server.go_on


def slow_disk(bench, chance):
    """Each sync of one server takes long, or of all."""
    slow = [chance.choice(bench.servers.wishes)] if chance.random() < 0.5 else bench.servers.wishes
    for wishes in slow:
        wishes.set(microseconds=chance.randint(20_000, 200_000))
    return lambda: [wishes.set() for wishes in bench.servers.wishes]


def full_disk(bench, chance):
    bench.servers.fill(chance)
    return bench.servers.empty


def step_clock(bench, chance):
    """The clocks of one server, or of all with different steps; never put right again at once."""
    for wishes in bench.servers.wishes:
        if chance.random() < 0.7:
            wishes.set(seconds=chance.choice([-864_000, -3600, -61, 61, 3600, 864_000]))
    return lambda: [wishes.set() for wishes in bench.servers.wishes]


def kill_member(bench, chance):
    member = chance.choice(bench.servers.members)
    member.kill()
    return member.start


def kill_leader(bench, _):
    member = bench.servers.leader()
    member.kill()
    return member.start


def stop_leader(bench, _):
    member = bench.servers.leader()
    member.stop()
    return member.go_on


def stop_member(bench, chance):
    member = chance.choice(bench.servers.members)
    member.stop()
    return member.go_on


def cut_node(bench, chance):
    """A node with its server and its member sees nobody but its clients."""
    number = chance.randint(1, 3)
    bench.networks.cut(number)
    return lambda: bench.networks.join(number)


def cut_leader(bench, _):
    number = bench.servers.members.index(bench.servers.leader()) + 1
    bench.networks.cut(number)
    return lambda: bench.networks.join(number)


def lose_majority(bench, chance):
    """Two of three members are gone: nothing may be granted."""
    gone = chance.sample(bench.servers.members, 2)
    for member in gone:
        member.kill()
    return lambda: [member.start() for member in gone]


def slow_member(bench, chance):
    return bench.servers.slow_member(chance)


COMMON = [
    Fault("none", lambda bench, chance: lambda: None),
    Fault("a server killed", kill_server),
    Fault("all servers killed", kill_all_servers),
    Fault("a server stopped", stop_server),
    Fault("clocks stepped", step_clock),
    Fault("disk full", full_disk),
]
SQLITE = [*COMMON, Fault("slow syncs", slow_disk)]
ETCD = [
    *COMMON,
    Fault("a member killed", kill_member),
    Fault("the leader killed", kill_leader),
    Fault("a member stopped", stop_member),
    Fault("the leader stopped", stop_leader),
    Fault("a node cut off", cut_node),
    Fault("the leader's node cut off", cut_leader),
    Fault("majority lost", lose_majority),
    Fault("a member's disk slow", slow_member),
]
