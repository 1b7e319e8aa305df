"""Ring blocks: what lies in a thread's queues, by the layout of capos-lib/abi/src/ring.rs."""
import struct

import gdb
import kernel

# Offsets in the header, and sizes of entries.
SQ_TAIL, CQ_HEAD, SQ_HEAD, CQ_TAIL, FAULT = 0x40, 0x44, 0x80, 0x84, 0x88
SQE, CQE = 64, 32


def word(start, offset):
    """A word of the header."""
    return struct.unpack("<I", bytes(gdb.selected_inferior().read_memory(start + offset, 4)))[0]


def ring_of(thread):
    """The ring of a thread."""
    return thread["ring"]["ring"]


def start_of(ring, part):
    """Where a part of the block begins."""
    return int(ring[part]["start"]["pointer"])


def indices(ring):
    """The four indices and the fault word."""
    start = start_of(ring, "block")
    return tuple(word(start, at) for at in (SQ_HEAD, SQ_TAIL, CQ_HEAD, CQ_TAIL, FAULT))


def ring_line(ring):
    """A ring in one line."""
    sq_head, sq_tail, cq_head, cq_tail, fault = indices(ring)
    broken = f", fault {fault}" if fault else ""
    submitted, completed = (sq_tail - sq_head) % 2**32, (cq_tail - cq_head) % 2**32
    return f"ring with {submitted} submitted and {completed} completed{broken}"


def line(thread):
    """The ring of a thread in one line."""
    return ring_line(ring_of(thread))


def op_name(number):
    """An operation, by the kernel's own enum."""
    for field in gdb.lookup_type("capos_abi::ring::Op").fields():
        if field.enumval == number:
            return field.name.split("::")[-1]
    return f"op {number}"


def submissions(ring):
    """What waits to be taken: lines."""
    sq_head, sq_tail, _, _, _ = indices(ring)
    # The queue begins behind the header's page.
    start, mask = start_of(ring, "block") + 4096, int(ring["sq_mask"])
    for at in range((sq_tail - sq_head) % 2**32):
        if at > mask:
            yield "(the tail is beyond the queue)"
            return
        place = start + SQE * ((sq_head + at) & mask)
        raw = bytes(gdb.selected_inferior().read_memory(place, SQE))
        op, flags, method, send, receive, _, user_data, cap = struct.unpack_from("<BBHBBHQQ", raw)
        yield f"{op_name(op)} flags {flags:#x} method {method} caps {send}/{receive} of {cap:#x}, user data {user_data:#x}"


def completions(ring):
    """What the program has not taken yet: lines."""
    _, _, cq_head, cq_tail, _ = indices(ring)
    start, mask = start_of(ring, "completions"), int(ring["cq_mask"])
    for at in range((cq_tail - cq_head) % 2**32):
        if at > mask:
            yield "(the program's head is beyond the queue)"
            return
        place = start + CQE * ((cq_head + at) & mask)
        raw = bytes(gdb.selected_inferior().read_memory(place, CQE))
        user_data, result, flags, caps, method, token, badge = struct.unpack("<QiBBHQQ", raw)
        yield f"user data {user_data:#x}: result {result} flags {flags:#x} caps {caps} method {method} token {token:#x} badge {badge:#x}"
