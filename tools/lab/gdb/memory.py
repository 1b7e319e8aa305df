"""Memory of processes, whoever's page tables the processor has loaded: read through the kernel's map of all memory."""
import struct

import gdb
import kernel

PAGE = 4096
# Of an entry of a page table: present, and the page is a large one (Intel SDM vol. 3, 4.5).
PRESENT, LARGE = 1 << 0, 1 << 7
ADDRESS = 0x000F_FFFF_FFFF_F000
# The lowest bit of an address that each level translates.
SHIFTS = (39, 30, 21, 12)


class Absent(Exception):
    """No page is there."""


def read_physical(address, length):
    """Bytes of the machine's memory."""
    offset = int(kernel.inner(kernel.static("kernel_hal::x86::mem::phys::OFFSET")))
    return bytes(gdb.selected_inferior().read_memory(offset + address, length))


def translate(top, address):
    """The physical address behind a virtual one, by the tables at `top`."""
    table = top
    for shift in SHIFTS:
        index = address >> shift & 511
        (entry,) = struct.unpack("<Q", read_physical(table + 8 * index, 8))
        if not entry & PRESENT:
            raise Absent(f"nothing is mapped at {address:#x}")
        if shift == 12 or (entry & LARGE and shift < 39):
            low = (1 << shift) - 1
            return (entry & ADDRESS & ~low) | (address & low)
        table = entry & ADDRESS
    raise AssertionError("the last level is a page")


def read(top, address, length):
    """Bytes of a process."""
    found = b""
    while len(found) < length:
        at = address + len(found)
        step = min(length - len(found), PAGE - at % PAGE)
        found += read_physical(translate(top, at), step)
    return found


def words(top, address, count):
    """Words of a process."""
    return struct.unpack(f"<{count}Q", read(top, address, 8 * count))
