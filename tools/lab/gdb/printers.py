"""How the kernel's objects are printed: one line that says what one would look for."""
import os
import re

import gdb
import gdb.printing
import kernel
import rings


def object_kind(entry):
    """What a capability stands for, in a word."""
    return kernel.variant(entry["object"])[0]


def interfaces():
    """Names of interfaces by their numbers, as the schema has promised them."""
    with open(os.path.join(os.path.dirname(__file__), "../../../schema/schema.lock"), encoding="utf-8") as lock:
        found = re.findall(r"^(\w+): interface (0x[0-9a-f]+)$", lock.read(), re.MULTILINE)
    return {int(number, 16): name for name, number in found}


INTERFACES = interfaces()


def interface(number):
    """An interface by its name; one that is not in the schema by its number."""
    return INTERFACES.get(number) or f"{number:#018x}"


def capability(index, generation, entry):
    """One line of a capability table."""
    mobility = str(entry["mobility"]).split("::")[-1]
    return f"{index:5} {generation:5}  {object_kind(entry):<20} {interface(int(entry['interface'])):<18}  {mobility}"


def run_state(thread):
    """Running on a processor, ready, blocked..."""
    name, held = kernel.variant(kernel.inner(thread["state"])["run"])
    return name if held is None else f"{name} on {int(held['__0'])}"


def thread_line(thread):
    """One thread."""
    owner = kernel.inner(thread["process"])
    return (
        f"thread {int(thread['id'])} of {kernel.process_name(owner)} ({int(owner['id'])}), "
        f"{run_state(thread)}, {rings.line(thread)}"
    )


def process_line(process):
    """One process."""
    threads = sum(1 for _ in kernel.threads(process))
    slots = sum(1 for _ in kernel.capabilities(process))
    return (
        f"process {int(process['id'])} {kernel.process_name(process)}, {threads} threads, "
        f"{slots} capabilities, tables at {kernel.top_table(process):#x}"
    )


class Line:
    """Prints a value as one line."""

    def __init__(self, value, line):
        self.value, self.line = value, line

    def to_string(self):
        return self.line(self.value)


class Table:
    """A capability table, as what is in it."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        slots = self.value["slots"]
        return f"capability table, {int(slots['live'])} of {int(self.value['limit'])}"

    def children(self):
        for index, slot in enumerate(kernel.elements(self.value["slots"]["all"])):
            entry = kernel.option(slot["entry"])
            if entry is not None:
                yield str(index), capability(index, int(slot["generation"]), entry)

    def display_hint(self):
        return "array"


def of_lines(line):
    """A printer for `line`."""
    return lambda value: Line(value, line)


def collection():
    """All printers, by the names of types."""
    found = gdb.printing.RegexpCollectionPrettyPrinter("capos")
    found.add_printer("thread", r"^kernel_core::task::thread::Thread$", of_lines(thread_line))
    found.add_printer("process", r"^kernel_core::task::process::Process$", of_lines(process_line))
    found.add_printer("table", r"^capos_cap::table::Table<", Table)
    found.add_printer("ring", r"^capos_ring::kernel::KernelRing$", of_lines(rings.ring_line))
    return found
