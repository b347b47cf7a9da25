"""The hosts of tests/suite/network.rs: a name server at 192.0.2.53 and 127.0.0.53, and web servers that say who they are. What was asked of
a web server is in /tmp/asked, a line each."""
import http.server, pathlib, socket, struct, threading

NAMES = {
    "deb.world.example": "192.0.2.10 192.0.2.12",
    "other.world.example": "192.0.2.11",
    "here.wild.example": "127.0.0.1",
    "there.wild.example": "192.0.2.11",
}


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *rest):
        super().__init__(*rest, directory="/srv/repository")

    def who(self):
        """The host of two addresses is one."""
        address, port = self.server.server_address[:2]
        return "%s:%s" % (address.replace("192.0.2.12", "192.0.2.10"), port)

    def do_GET(self):
        with open("/tmp/asked", "a") as asked:
            asked.write("%s %s\n" % (self.who(), self.path))
        if self.path == "/who":
            text = (self.who() + "\n").encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            return self.wfile.write(text)
        # As a proxy: any host is this one.
        self.path = self.path.removeprefix("http://only-by-proxy.example")
        super().do_GET()

    def log_message(self, *_):
        pass


class Six(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6


def names(address):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind((address, 53))
    while True:
        asked, whom = server.recvfrom(4096)
        labels, at = [], 12
        while asked[at]:
            labels.append(asked[at + 1 : at + 1 + asked[at]].decode())
            at += 1 + asked[at]
        end = at + 5
        known, kind = NAMES.get(".".join(labels).lower(), ""), asked[at + 2]
        found = known.split() if kind == 1 else []
        answer = asked[:2] + struct.pack(">HHHHH", 0x8180 if known else 0x8183, 1, len(found), 0, 0)
        answer += asked[12:end]
        for address in found:
            answer += struct.pack(">HHHLH", 0xC00C, 1, 1, 60, 4) + socket.inet_aton(address)
        server.sendto(answer, whom)


WEB = [
    ("192.0.2.10", 80), ("192.0.2.10", 3142), ("192.0.2.12", 80), ("192.0.2.11", 80), ("192.0.2.11", 8080),
    ("127.0.0.1", 80), ("127.0.0.1", 5432), ("2001:db8:1::10", 8080),
]
for where in WEB:
    kind = Six if ":" in where[0] else http.server.ThreadingHTTPServer
    threading.Thread(target=kind(where, Handler).serve_forever).start()
for where in ["192.0.2.53", "127.0.0.53"]:
    threading.Thread(target=names, args=[where]).start()
pathlib.Path("/tmp/up").touch()
