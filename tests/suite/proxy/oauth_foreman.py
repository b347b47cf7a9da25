"""A Foreman as far as smart proxies register with it: oauth_foreman.py FOLDER PORT, over HTTPS, to be killed.

Its signatures are checked by oauthlib's own server, and not by anything of disco's. What it answers, and in which order it looks, is
theforeman/foreman 3.13: api/v2/smart_proxies_controller, sso/oauth, sso/basic, models/smart_proxy, services/proxy_api and the views
below api/v2/errors. It is stricter where a Foreman does not look: clocks may differ by ten minutes, and no nonce comes twice.

FOLDER has settings.json (consumer, secret, map_users, users with their passwords), ca.pem, and its own foreman.pem and foreman.key,
which it shows to proxies, too. It writes `ready` (its pid) and a line of JSON to `requests` for each request. What it knows is in
`proxies.json`, and survives it. `clock` has how many seconds its clock is ahead; while there is `broken`, it answers 503.
"""
import base64
import datetime
import json
import os
import re
import ssl
import sys
import threading
import time
import types
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from oauthlib.oauth1 import RequestValidator, SignatureOnlyEndpoint
from oauthlib.oauth1.rfc5849.endpoints import base

FOLDER, PORT = sys.argv[1], int(sys.argv[2])
# Foreman's seeds: db/seeds.d/110-smart_proxy_features.rb.
FEATURES = ["Templates", "TFTP", "DNS", "DHCP", "Puppet", "Puppet CA", "BMC", "Realm", "Facts", "Logs", "HTTPBoot", "External IPAM",
            "Registration"]
NAME_MAP = {name.lower().replace(" ", ""): name for name in FEATURES}
# Foreman lets nobody in after 30 failures of an address in five minutes.
FAILURES = 30
lock = threading.RLock()
failures = 0


def path(name):
    return os.path.join(FOLDER, name)


def text(name, default):
    return open(path(name)).read() if os.path.exists(path(name)) else default


settings = json.loads(text("settings.json", "{}"))
proxies = json.loads(text("proxies.json", "[]"))
base.time = types.SimpleNamespace(time=lambda: time.time() + float(text("clock", "0")))


class Validator(RequestValidator):
    # A Foreman counts the characters of neither.
    client_key_length = (1, 200)
    nonce_length = (8, 200)
    enforce_ssl = True
    dummy_client = "nobody"
    nonces = set()

    def validate_client_key(self, client_key, request):
        return client_key == settings["consumer"]

    def get_client_secret(self, client_key, request):
        return settings["secret"]

    def validate_timestamp_and_nonce(self, client_key, timestamp, nonce, request, request_token=None, access_token=None):
        is_new = (timestamp, nonce) not in self.nonces
        self.nonces.add((timestamp, nonce))
        return is_new


endpoint = SignatureOnlyEndpoint(Validator())


class Refused(Exception):
    def __init__(self, status, error):
        self.status, self.error = status, error


def invalid(proxy, **errors):
    """A resource that cannot be saved: base's errors stand alone, others behind the attribute's name."""
    full = [one if name == "base" else f"{name.capitalize()} {one}" for name, all in errors.items() for one in all]
    return Refused(422, {"id": proxy.get("id"), "errors": errors, "full_messages": full})


def to_sentence(names):
    return " and ".join(names) if len(names) < 3 else ", ".join(names[:-1]) + ", and " + names[-1]


def get_features(url):
    """`{name: what it says}` of what runs there. A 404 alone leads to the older way."""
    context = ssl.create_default_context(cafile=path("ca.pem"))
    context.load_cert_chain(path("foreman.pem"), path("foreman.key"))

    def get(path):
        note(callback=url + path)
        with urllib.request.urlopen(url + path, timeout=20, context=context if url.startswith("https:") else None) as answer:
            return json.load(answer)
    try:
        return {name: one for name, one in get("/v2/features").items() if one["state"] == "running"}
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise
    return {name: {} for name in get("/features")}


def associate_features(proxy):
    """Takes over what the proxy says; what is wrong with that. Where it does not answer, what was known stays."""
    try:
        reply = get_features(proxy["url"])
    except Exception as error:
        why = f"ERF12-2530 [ProxyAPI::ProxyException]: Unable to detect features ({error}) for proxy {proxy['url']}/v2/features"
        return [f"Unable to communicate with the proxy: {why}", "Please check the proxy is configured and running on the host."]
    known = {name: one for name, one in reply.items() if name in NAME_MAP}
    proxy["features"] = [{"capabilities": one.get("capabilities", []), "name": NAME_MAP[name],
                          "id": FEATURES.index(NAME_MAP[name]) + 1} for name, one in known.items()]
    if known:
        return []
    return [f'Features "{to_sentence(list(reply))}" in this proxy are not recognized by Foreman. If these features come from a Smart '
            "Proxy plugin, make sure Foreman has the plugin installed too." if reply else
            "No features found on this proxy, please make sure you enable at least one feature"]


def save(proxy):
    others = [one for one in proxies if one["id"] != proxy.get("id")]
    wrong = {}
    if not proxy.get("name"):
        wrong["name"] = ["can't be blank"]
    elif any(one["name"] == proxy["name"] for one in others):
        wrong["name"] = ["has already been taken"]
    if not re.match(r"https?://[^\s]+\Z", proxy.get("url") or ""):
        wrong["url"] = ["URL must be valid and schema must be one of http and https"]
    elif any(one["url"] == proxy["url"] for one in others):
        wrong["url"] = ["Only one declaration of a proxy is allowed"]
    if wrong:
        raise invalid(proxy, **wrong)
    proxy["url"] = proxy["url"].removesuffix("/")
    # Whatever is wrong, it is saved if it has any feature.
    if (wrong := associate_features(proxy)) and not proxy["features"]:
        raise invalid(proxy, base=wrong)
    proxy["updated_at"] = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")
    proxy.setdefault("created_at", proxy["updated_at"])
    if "id" not in proxy:
        proxy["id"] = max([one["id"] for one in proxies], default=0) + 1
    proxies[:] = sorted(others + [proxy], key=lambda one: one["name"])
    with open(path("proxies.new"), "w") as file:
        json.dump(proxies, file)
    os.replace(path("proxies.new"), path("proxies.json"))


def shown(proxy):
    main = {key: proxy[key] for key in ["created_at", "updated_at", "name", "id", "url"]}
    return {**main, "hosts_count": 0, "features": proxy["features"]}


def found(search):
    """scoped_search, as far as a registration needs it: a quoted value with backslashes."""
    if not search:
        return proxies
    if not (match := re.fullmatch(r'\s*name\s*=\s*"((?:[^"\\]|\\.)*)"\s*', search)):
        raise Refused(400, {"message": f"Field '{search}' not recognized for searching!", "class": "ScopedSearch::QueryNotSupported"})
    name = re.sub(r"\\(.)", r"\1", match[1])
    return [proxy for proxy in proxies if proxy["name"] == name]


def note(**what):
    with lock, open(path("requests"), "a") as file:
        print(json.dumps(what), file=file)


class Foreman(BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def say(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Foreman_version", "3.13.0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def user(self):
        """Who asks; a refusal is raised. Rack has all names in capitals, with `_` for `-`."""
        global failures
        if failures >= FAILURES:
            raise Refused(401, {"message": "Too many tries, please try again in a few minutes."})
        headers = {name.upper().replace("-", "_"): value for name, value in self.headers.items()}
        authorization = headers.get("AUTHORIZATION", "")
        login = user = ""
        if authorization.startswith("OAuth"):
            uri = f"https://{headers['HOST']}{self.path}"
            # JSON is no form: it is not signed.
            is_right, _ = endpoint.validate_request(uri, self.command, None, {"Authorization": authorization})
            if is_right:
                user = headers.get("FOREMAN_USER", "") if settings["map_users"] else "foreman_api_admin"
                is_right = not settings["map_users"] or user in settings["users"]
        elif authorization.startswith("Basic "):
            login, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
            user, is_right = login, settings["users"].get(login) == password
        else:
            is_right = False
        if not is_right:
            failures += 1
            raise Refused(401, {"message": f"Unable to authenticate user {login}"})
        return f"{authorization.split(' ')[0]} {user}"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        split = urllib.parse.urlsplit(self.path)
        query = dict(urllib.parse.parse_qsl(split.query))
        who = None
        try:
            with lock:
                if os.path.exists(path("broken")):
                    raise Refused(503, {"message": "Service Unavailable"})
                who = self.user()
                status, said = self.act(split.path, query, body)
        except Refused as refused:
            status, said = refused.status, {"error": refused.error}
        note(method=self.command, path=split.path, search=query.get("search"), who=who, status=status)
        self.say(status, said)

    do_GET = do_POST = do_PUT = answer

    def act(self, path, query, body):
        if self.command != "GET" and self.headers.get_content_type() != "application/json":
            kind = self.headers.get("Content-Type")
            raise Refused(415, {"message": f"Media type in 'Content-Type: {kind}' is unsupported in API v2 for POST and PUT requests. "
                                           "Please use 'Content-Type: application/json'."})
        given = json.loads(body or b"{}").get("smart_proxy", {}) if self.command != "GET" else {}
        given = {key: given[key] for key in ["name", "url"] if key in given}
        parts = path.strip("/").split("/")
        if parts[:3] != ["api", "v2", "smart_proxies"]:
            raise Refused(404, {"message": "Route not found"})
        match self.command, parts[3:]:
            case "GET", []:
                results = found(query.get("search"))
                page = {"page": 1, "per_page": 20, "search": query.get("search"), "sort": {"by": None, "order": None}}
                return 200, {"total": len(proxies), "subtotal": len(results), **page,
                             "results": [shown(proxy) for proxy in results]}
            case "POST", []:
                save(proxy := dict(given, features=[]))
                return 201, {**shown(proxy), "locations": [], "organizations": []}
            case "PUT", [number, *rest] if rest in ([], ["refresh"]):
                known = next((one for one in proxies if str(one["id"]) == number), None)
                if known is None:
                    raise Refused(404, {"message": f"Resource smart_proxy not found by id '{number}'"})
                proxy = dict(known)
                if rest:
                    # It asks once to refresh, and once more because that is saved. What throws outside of saving is a bug there.
                    wrong = associate_features(proxy)
                    if not proxy["features"]:
                        known["features"] = []
                        raise Refused(500, {"message": "uncaught throw :abort"})
                    if wrong:
                        raise invalid(proxy, base=wrong)
                    given = {}
                proxy.update(given)
                save(proxy)
                return 200, {**shown(proxy), "locations": [], "organizations": []}
        raise Refused(404, {"message": "Route not found"})


server = ThreadingHTTPServer(("127.0.0.1", PORT), Foreman)
server.daemon_threads = True
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(path("foreman.pem"), path("foreman.key"))
# By a thread of its own for each connection, so that one that says nothing keeps nobody waiting.
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(path("ready.new"), "w") as file:
    print(os.getpid(), file=file)
os.replace(path("ready.new"), path("ready"))
server.serve_forever()
