"""The body of scripts/lock-pages: see there."""

import argparse
import contextlib
import http.server
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

from browser import Browser, Driver

PASSWORD = "correct horse"
TAB, ENTER = "\ue004", "\ue007"


@contextlib.contextmanager
def server(program):
    """The server, until the walk is over; its address."""
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen([program, folder], stderr=subprocess.PIPE, text=True)
        try:
            for line in process.stderr:
                found = re.search(r"listening on (https://\S+)", line)
                if found:
                    break
            else:
                raise SystemExit("the server did not start")
            # What it says later is read, so that it can go on saying it.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield found[1]
        finally:
            process.terminate()
            process.wait(20)


@contextlib.contextmanager
def elsewhere(page):
    """Another site, with this one page; its address."""

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{site.server_port}/"
    finally:
        site.shutdown()


class Walk:
    """Steps, each told when it is done; the first that fails ends it."""

    def __init__(self, site, pictures):
        self.site, self.pictures, self.done = site, pictures, 0

    def sees(self, what, seen):
        if not seen:
            raise SystemExit(f"failed: {what}")
        self.done += 1
        print(f"ok  {what}")

    def picture(self, browser, name):
        if self.pictures:
            browser.picture(self.pictures / f"{name}.png")


def log_in(browser, site, password=PASSWORD, login="alice"):
    browser.go(site + "/")
    browser.type("#login", login)
    browser.type("#password", password)
    browser.click("main button")


def changes(walk, browser):
    site = walk.site
    browser.go(site + "/locks/free")
    browser.type("form[action$='/disable'] input[name=reason]", "an audit")
    browser.click("form[action$='/disable'] button")
    text = browser.text()
    walk.sees("a lock is disabled, with its reason in the log", "The lock is disabled" in text and "an audit" in text)
    browser.type("form[action$='/enable'] input[name=reason]", "the audit is over")
    browser.click("form[action$='/enable'] button")
    text = browser.text()
    walk.sees("and enabled", "The lock is enabled." in text and "the audit is over" in text and "State: free" in text)

    browser.go(site + "/locks/db%2Freindex")
    why = "form[action$='/release'] input[name=reason]"
    browser.press("form[action$='/release'] button")
    walk.sees("the browser asks for a reason", "done=" not in browser.url() and "db1.example.com" in browser.text("table"))
    browser.type(why, "   ")
    browser.click("form[action$='/release'] button")
    text = browser.text()
    walk.sees("the server refuses a force release without a reason", "say why" in text and "State: held" in text)
    browser.type(why, "db1 has burnt down")
    browser.click("form[action$='/release'] button")
    text = browser.text()
    walk.sees("and takes the lock away with one", "The lock was taken away" in text and "State: free" in text)
    walk.sees("which is in the log, with who asked", "user alice" in text and "db1 has burnt down" in text)
    browser.go(site + "/locks/web-updates")
    browser.type("form[action$='/thaw'] input[name=reason]", "nginx is mended")
    browser.click("form[action$='/thaw'] button")
    walk.sees("failures are forgotten", "Failed since" not in browser.text() and "nginx is mended" in browser.text())


def forged(walk, browser):
    """A page of another site sends a form here, by the browser of somebody who is logged in."""
    site = walk.site
    page = f"""<form id=f method=post action="{site}/locks/free/disable"><input name=csrf value="{'0' * 64}">
        <input name=reason value=evil></form><button form=f>Look at cats</button>"""
    with elsewhere(page) as address:
        browser.go(address)
        browser.click("button")
        text = browser.text()
    walk.sees("a form of another site is refused", browser.url().startswith(site + "/login") or "Nothing was changed" in text)
    browser.go(site + "/locks/free")
    walk.sees("and has changed nothing", "State: free" in browser.text() and "evil" not in browser.text())
    # The same from this site, with the session's cookie and without the form's secret.
    browser.run("document.querySelector('form[action$=\"/disable\"] input[name=csrf]').value = '0'.repeat(64)")
    browser.type("form[action$='/disable'] input[name=reason]", "evil")
    browser.click("form[action$='/disable'] button")
    walk.sees("a form without its secret is refused", "Nothing was changed" in browser.text())
    browser.go(site + "/locks/free")
    walk.sees("and has changed nothing, either", "State: free" in browser.text() and "evil" not in browser.text())


def first(walk, browser):
    site = walk.site
    log_in(browser, site, password="a guess")
    walk.sees("a wrong password is refused", "Wrong login or password." in browser.text() and "/login" in browser.url())
    walk.sees("and begins no session", "__Host-disco" not in browser.cookies())
    walk.picture(browser, "login")
    log_in(browser, site)
    cookie = browser.cookies()["__Host-disco"]
    kept = cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Strict" and cookie["path"] == "/"
    walk.sees("a login leads to the locks", browser.url() == site + "/locks" and browser.count("tbody tr") == 5)
    walk.sees("its cookie is secure, for HTTP alone, and strict", kept)
    walk.sees("no script can read it", browser.run("return document.cookie") == "")
    walk.sees("a name is text, whatever is in it", "<img src=x onerror=alert(1)>" in browser.text("tbody") and browser.count("img") == 0)
    walk.picture(browser, "locks")
    browser.type("#search", "host = web2.example.com or name = free")
    browser.click(".search button")
    walk.sees("a search finds", "2 locks." in browser.text() and browser.count("tbody tr") == 2)
    browser.type("#search", "size = 3")
    browser.click(".search button")
    walk.sees("a search that is not understood says so", "not recognized" in browser.text("[role=alert]"))
    browser.go(site + "/locks")
    browser.click("thead th a")
    walk.sees("a head orders", browser.attribute("thead th", "aria-sort") == "descending" and "web-updates" in browser.text("tbody tr"))
    browser.click("tbody tr th a")
    text = browser.text()
    walk.sees("a lock has its page", browser.url() == site + "/locks/web-updates" and "Lock web-updates" in text)
    for words in ["web1.example.com", "kernel 6.1.0-42, then a reboot", "40 percent of its group", "nginx does not start", "first asked"]:
        walk.sees(f"which says: {words}", words in text)
    walk.picture(browser, "lock")
    browser.click("header a[href='/hosts']")
    walk.sees("hosts are listed", browser.count("tbody tr") == 3 and "web-updates" in browser.text("tbody"))
    walk.picture(browser, "hosts")


def by_keyboard(walk, browser):
    browser.go(walk.site + "/locks")
    order = []
    for _ in range(8):
        browser.keys(TAB)
        order.append(browser.focused())
    walk.sees("the keyboard reaches all in its order", order == ["To the content", "disco locks", "Locks", "Hosts", "Log out", "search", "Search", "Name ▲"])
    browser.go(walk.site + "/locks")
    browser.keys(TAB, TAB, TAB, TAB, ENTER)
    for _ in range(100):
        if browser.url().endswith("/hosts"):
            break
        time.sleep(0.02)
    walk.sees("and opens a link", browser.url() == walk.site + "/hosts")


def narrow_and_dark(walk, browser):
    size = {"width": 400, "height": 800, "deviceScaleFactor": 1, "mobile": False}
    for path in ["/locks", "/locks/web-updates", "/locks/%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E", "/hosts"]:
        browser.go(walk.site + path)
        browser.devtools("Emulation.setDeviceMetricsOverride", size)
        fits = browser.run("return document.documentElement.scrollWidth <= 400")
        walk.sees(f"{path} fits 400 pixels", fits)
    browser.devtools("Emulation.clearDeviceMetricsOverride", {})
    browser.devtools("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": "dark"}]})
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    walk.sees("there is a dark form", ground == "rgb(13, 17, 23)")
    walk.picture(browser, "dark")


def without_scripts(walk, browser):
    """Nothing of the pages needs scripts: the same with a browser that has none."""
    with elsewhere("<p>off</p><script>document.querySelector('p').textContent = 'on'</script>") as address:
        browser.go(address)
        walk.sees("this browser has no scripts", browser.text() == "off")
    log_in(browser, walk.site)
    walk.sees("without scripts: a login", browser.count("tbody tr") == 5)
    browser.type("#search", "name = free")
    browser.click(".search button")
    walk.sees("without scripts: a search", "One lock." in browser.text())
    browser.click("tbody tr th a")
    browser.type("form[action$='/disable'] input[name=reason]", "by hand")
    browser.click("form[action$='/disable'] button")
    walk.sees("without scripts: a lock is disabled", "The lock is disabled" in browser.text())
    browser.click("header form button")
    browser.go(walk.site + "/locks/free")
    walk.sees("without scripts: a logout", "/login" in browser.url())


def who_may_look(walk, browser):
    log_in(browser, walk.site, login="vera")
    browser.go(walk.site + "/locks/web-updates")
    walk.sees("who may look has no forms but the logout", browser.count("form") == 1 and "What happened" in browser.text())


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--server", required=True)
    arguments.add_argument("--pictures", type=pathlib.Path)
    chosen = arguments.parse_args()
    if chosen.pictures:
        chosen.pictures.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    sys.stdout.reconfigure(line_buffering=True)
    with server(os.path.abspath(chosen.server)) as site, Driver() as driver:
        walk = Walk(site, chosen.pictures)
        with Browser(driver) as browser:
            for part in [first, by_keyboard, narrow_and_dark, changes, forged]:
                part(walk, browser)
        with Browser(driver) as browser:
            who_may_look(walk, browser)
        with Browser(driver, scripts=False) as browser:
            without_scripts(walk, browser)
    print(f"{walk.done} steps in {time.monotonic() - begin:.0f} s")


main()
