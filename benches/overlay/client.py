"""Clients that measure themselves, because a call takes less than a program's start. Prints microseconds a call.

client.py randread FILE COUNT     reads COUNT random blocks of 4 KiB
client.py lookup FOLDER NAMES     asks for the attributes of each name in the file NAMES, once
"""

import os
import random
import struct
import sys
import time

BLOCK = 4096


def randread(path, count):
    """Some blocks must have their own number at their beginning, as `numbered_blocks` wrote it."""
    file = os.open(path, os.O_RDONLY)
    blocks = os.fstat(file).st_size // BLOCK
    places = random.Random(1).choices(range(blocks), k=count)
    for number in places[::1000]:
        if struct.unpack_from("<Q", os.pread(file, BLOCK, number * BLOCK))[0] != number:
            raise SystemExit(f"block {number} is another one")
    buffers = [bytearray(BLOCK)]
    offsets = [number * BLOCK for number in places]
    read = os.preadv
    started = time.perf_counter()
    for offset in offsets:
        read(file, buffers, offset)
    return time.perf_counter() - started


def lookup(folder, names):
    """A name that begins with `absent` must not be there; any other must."""
    with open(names, encoding="ascii") as text:
        paths = [os.path.join(folder, name) for name in text.read().split()]
    wanted = [not os.path.basename(path).startswith("absent") for path in paths]
    found = []
    started = time.perf_counter()
    for path in paths:
        try:
            os.stat(path)
            found.append(True)
        except FileNotFoundError:
            found.append(False)
    wall = time.perf_counter() - started
    if found != wanted:
        raise SystemExit(f"{sum(a != b for a, b in zip(found, wanted))} of {len(paths)} names are not as they should be")
    return wall


def main():
    kind, path, argument = sys.argv[1:]
    if kind == "randread":
        count, wall = int(argument), randread(path, int(argument))
    else:
        with open(argument, encoding="ascii") as text:
            count = len(text.read().split())
        wall = lookup(path, argument)
    print(wall / count * 1e6)


if __name__ == "__main__":
    main()
