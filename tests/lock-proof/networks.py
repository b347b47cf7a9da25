"""Three nodes with two networks: one to their clients, one to each other; either link can be cut. All in network namespaces
that belong to processes of this program and go with them; this program's own namespace holds the bridges."""
import os
import subprocess

from processes import die_with_parent, run, wait_until

CLIENTS, PEERS = "10.77.0", "10.78.0"


class Networks:
    """The nodes, by number from 1; `space` of each is the pid whose network it has."""

    def __init__(self, count=3):
        # Whoever starts this says which network it has left.
        if os.readlink("/proc/self/ns/net") == os.environ.get("LOCK_PROOF_OUTSIDE", os.readlink("/proc/self/ns/net")):
            raise SystemExit("error: this must not run in the machine's own network (scripts/lock-histories makes one)")
        run("ip", "link", "set", "lo", "up")
        self.holders = []
        for bridge, net in (("clients", CLIENTS), ("peers", PEERS)):
            run("ip", "link", "add", bridge, "type", "bridge")
            run("ip", "address", "add", f"{net}.1/24", "dev", bridge)
            run("ip", "link", "set", bridge, "up")
        for number in range(1, count + 1):
            holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"], preexec_fn=die_with_parent)
            own = os.readlink("/proc/self/ns/net")
            wait_until("a network namespace", lambda: os.readlink(f"/proc/{holder.pid}/ns/net") != own)
            self.holders.append(holder)
            self.inside(number, "ip", "link", "set", "lo", "up")
            for bridge, net in (("clients", CLIENTS), ("peers", PEERS)):
                near, far = f"{bridge}{number}", bridge
                run("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", str(holder.pid))
                run("ip", "link", "set", near, "master", bridge, "up")
                self.inside(number, "ip", "address", "add", f"{net}.{10 + number}/24", "dev", far)
                self.inside(number, "ip", "link", "set", far, "up")

    def space(self, number):
        return self.holders[number - 1].pid

    def inside(self, number, *argv):
        return run("nsenter", "--target", str(self.space(number)), "--net", "--", *argv)

    def cut(self, number):
        """Cuts the node from the others; its clients still reach it."""
        run("ip", "link", "set", f"peers{number}", "down")

    def join(self, number):
        run("ip", "link", "set", f"peers{number}", "up")

    @staticmethod
    def client_address(number):
        return f"{CLIENTS}.{10 + number}"

    @staticmethod
    def peer_address(number):
        return f"{PEERS}.{10 + number}"
