"""A program that dies at many points of its code, one after the other, and what its client sees of that."""
import os
import re
import struct
import subprocess

import gdb
import kernel
import memory

# Of a program's instructions so many are tried, evenly: which are executed is seen.
TRIED = 1200
# Answers that an earlier instance may have given before it died: the client's readers, and one more.
STALE = 4
# Answers without coming to a point: it is not on the way of an instance that serves.
LONG = 12


def instructions(path):
    """The addresses of a program's instructions."""
    objdump = os.path.join(os.path.dirname(os.environ.get("CAPOS_NM", "")), "llvm-objdump")
    lines = subprocess.run([objdump, "-d", "--no-show-raw-insn", path], capture_output=True, text=True, check=True)
    return [int(found, 16) for found in re.findall(r"(?m)^ +([0-9a-f]+):", lines.stdout)]


def code(path):
    """Where the file of a program has which bytes in memory (ELF-64, program headers)."""
    with open(path, "rb") as file:
        image = file.read()
    at, size, count = struct.unpack_from("<Q", image, 32)[0], *struct.unpack_from("<HH", image, 54)
    headers = [struct.unpack_from("<IIQQQQ", image, at + size * n) for n in range(count)]
    return [(base, image[offset : offset + length]) for kind, _, offset, base, _, length in headers if kind == 1]


def is_int3(segments, address):
    """Whether a program has the breakpoint instruction there. gdb would take a trap for it, and skip what stands there in others."""
    return any(bytes_[address - base : address - base + 1] == b"\xcc" for base, bytes_ in segments if address >= base)


def running(names={}):
    """The name of the process that the stopped processor runs. Only one program is ever started again, and so page tables keep their names."""
    top = int(gdb.parse_and_eval("$cr3")) & memory.ADDRESS
    if top not in names:
        names.update({kernel.top_table(process): kernel.process_name(process) for process in kernel.processes()})
    return names.get(top)


class Trap(gdb.Breakpoint):
    """Stops before an instruction, in processes of one name."""

    def __init__(self, address, name):
        super().__init__(f"*{address:#x}", gdb.BP_HARDWARE_BREAKPOINT)
        self.silent = True
        self.address, self.name, self.is_hit = address, name, False

    def stop(self):
        self.is_hit = running() == self.name
        return self.is_hit


def go(traps):
    """Lets the machine go on until it comes to one of the traps."""
    for trap in traps:
        trap.is_hit = False
    gdb.execute("continue", to_string=True)
    return next((trap for trap in traps if trap.is_hit), None)


def die():
    """The process ends right here: the next instruction of the stopped thread is one that nothing is mapped at."""
    gdb.execute("set $rip = 0", to_string=True)


class Victim:
    """A driver, and its client."""

    def __init__(self, name, path, client, answered):
        self.name, self.path = name, path
        self.answered = Trap(answered, client)
        self.answers = 0

    def until(self, traps, answers):
        """Goes on until it comes to a trap, and past so many answers."""
        traps = [*traps, self.answered]
        while answers > 0:
            hit = go(traps)
            if hit is not self.answered:
                return hit
            answers -= 1
            self.answers += 1
        return None

    def executed(self):
        """Points of an instance's life, in the order in which it comes to them first; how many come before it serves; one that comes again."""
        paths = {os.path.join(os.path.dirname(self.path), kernel.process_name(it)) for it in kernel.processes()}
        others = [code(path) for path in paths if os.path.isfile(path)]
        every = [at for at in instructions(self.path) if not any(is_int3(other, at) for other in others)]
        traps = {at: Trap(at, self.name) for at in every[:: max(1, len(every) // TRIED)]}
        self.until(traps.values(), 1000)
        die()
        found, start, before = [], None, self.answers
        while True:
            hit = self.until(traps.values(), 60)
            if hit is None:
                break
            if start is None and self.answers > before + STALE:
                start = len(found)
            found.append(hit.address)
            traps.pop(hit.address).delete()
        for trap in traps.values():
            trap.delete()
        traps = [Trap(at, self.name) for at in found]
        steady = self.until(traps, 60).address
        for trap in traps:
            trap.delete()
        return found, start, steady

    def kill_at(self, address):
        """Whether an instance came there, and died."""
        trap = Trap(address, self.name)
        is_hit = self.until([trap], LONG) is trap
        if is_hit:
            die()
        trap.delete()
        return is_hit


def watch(name, path, client, answered, count):
    """Kills a driver at so many points of its executed code, and sees that its client is served after each."""
    gdb.execute("set breakpoint always-inserted on")
    victim = Victim(name, path, client, answered)
    found, start, steady = victim.executed()
    print(f"{len(found)} points are executed, {start} of them before the first answer", flush=True)
    step = max(1.0, len(found) / count)
    order = sorted({int(at * step) for at in range(min(count, len(found)))})
    # To some no instance comes a second time: others take their place.
    order += sorted(set(range(len(found))) - set(order))
    killed, again = set(), 0
    for at in order:
        if len(killed) == count:
            break
        # One that serves does not come to where it starts: it has to start anew.
        if at < start:
            again += int(victim.kill_at(steady))
        if victim.kill_at(found[at]):
            killed.add(found[at])
            victim.until([], STALE)
    gdb.execute("delete", to_string=True)
    print(f"{name} died at {len(killed)} distinct points, and {again} times more to be started; {victim.answers} answers", flush=True)
