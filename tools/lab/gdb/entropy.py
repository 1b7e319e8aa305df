"""The kernel's pool of randomness, and what it is fed with."""
import hashlib
import os

import gdb
import kernel

POOL = "kernel_core::cap::entropy_sink::POOL"
FEED = "capos_entropy::pool::Pool::feed"


def array(value):
    """An array of bytes."""
    first, last = value.type.range()
    return bytes(int(value[index]) for index in range(first, last + 1))


def pool():
    """The pool's key, and how often it was fed."""
    found = kernel.inner(kernel.static(POOL))
    return array(found["key"]), int(found["fed"])


def known():
    """The bytes of the lab's device, if it has one whose bytes the lab knows."""
    path = os.environ.get("CAPOS_ENTROPY", "")
    if not os.path.isfile(path):
        return b""
    with open(path, "rb") as file:
        return file.read()


def watch(stop_at):
    """Lets the machine go on until the pool is fed, judges that by what stands in memory before and after."""
    stop_at("kernel", FEED)
    gdb.execute("continue", to_string=True)
    fed = array(gdb.parse_and_eval("*bytes"))
    before, times = pool()
    gdb.execute("finish", to_string=True)
    gdb.execute("delete", to_string=True)
    after, now = pool()
    place = known().find(fed)
    whose = f"the device's from {place} on" if place >= 0 else "of nobody that is known"
    mixed = now == times + 1 and after == hashlib.blake2s(fed, key=before).digest()
    print(f"feed {now}: {len(fed)} bytes, {whose}; the pool is {'their hash' if mixed else 'something else'}")
