"""Types an answer at a terminal: typed.py QUESTION ANSWER COMMAND…. It waits until the question is there and the terminal does not show
what is typed, as whoever types it would; ^C is an answer, too. Prints all that the terminal has shown, then how it was left, and ends as
the command does; 99 where nothing was asked within 20 s."""
import fcntl
import os
import pty
import select
import sys
import termios
import time

question, answer, command = sys.argv[1], sys.argv[2], sys.argv[3:]
# Both ends stay open here, or the terminal's state is gone with the command.
terminal, inside = pty.openpty()
pid = os.fork()
if pid == 0:
    os.setsid()
    fcntl.ioctl(inside, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(inside, stream)
    os.closerange(3, 100)
    os.execvp(command[0], command)


def echoes():
    return bool(termios.tcgetattr(terminal)[3] & termios.ECHO)


shown, until, is_typed = b"", time.monotonic() + 20, False
while True:
    if select.select([terminal], [], [], 0.02)[0]:
        shown += os.read(terminal, 65536)
    if not is_typed and question.encode() in shown and not echoes():
        os.write(terminal, b"\x03" if answer == "^C" else answer.encode() + b"\r")
        is_typed = True
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended:
        break
    if time.monotonic() > until:
        os.kill(pid, 9)
        sys.exit(99)
while select.select([terminal], [], [], 0)[0]:
    shown += os.read(terminal, 65536)
print(shown.decode().replace("\r\n", "\n"), end="")
print("the terminal echoes" if echoes() else "the terminal does not echo")
code = os.waitstatus_to_exitcode(status)
sys.exit(code if code >= 0 else 128 - code)
