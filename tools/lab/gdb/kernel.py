"""The kernel's objects as gdb sees them: walks over processes, threads and capabilities.

Everything is read by the names that the kernel's debug information gives. A value is never written.
"""
import gdb

PROCESSES = "kernel_core::task::registry::PROCESSES"


def inner(value):
    """What a lock, a cell, an atomic or a counted reference has in it."""
    while value.type.code == gdb.TYPE_CODE_STRUCT:
        name = (value.type.name or "").split("<")[0]
        if name.endswith("sync::Ref"):
            value = value["cell"]["pointer"].dereference()["value"]
        elif name.endswith(("lock::Lock", "cell::UnsafeCell")):
            value = value["value"]
        elif name.startswith("core::sync::atomic::Atomic"):
            value = value["v"]
        else:
            return value
    return value


def variant(value):
    """The name of an enum's variant, and what it holds."""
    fields = [field for field in value.type.fields() if not field.artificial]
    if value.type.code == gdb.TYPE_CODE_ENUM or len(fields) != 1:
        return str(value).split("::")[-1], None
    held = value[fields[0]]
    return fields[0].name, held if held.type.fields() else None


def option(value):
    """What an `Option` has in it, or None."""
    name, held = variant(value)
    return held["__0"] if name == "Some" else None


def elements(vector):
    """The elements of a `Vec`."""
    raw = vector["buf"]["inner"]["ptr"]["pointer"]["pointer"]
    first = raw.cast(vector.type.template_argument(0).pointer())
    for index in range(int(vector["len"])):
        yield (first + index).dereference()


def static(name):
    """A static of the kernel."""
    symbol = gdb.lookup_static_symbol(name) or gdb.lookup_global_symbol(name)
    if symbol is None:
        raise gdb.GdbError(f"{name} is not in the symbols: were those of the kernel loaded?")
    return symbol.value()


def processes():
    """All that have not been taken apart."""
    for process in elements(inner(static(PROCESSES))):
        yield inner(process)


def process_name(process):
    """Its name."""
    name = process["name"]
    octets = [int(name["bytes"][at]) for at in range(int(name["len"]))]
    return bytes(octets).decode("utf-8", "replace")


def process(which):
    """The process of that number or name; of several the newest."""
    found = [it for it in processes() if which in (str(int(it["id"])), process_name(it))]
    if not found:
        names = ", ".join(f"{int(it['id'])} {process_name(it)}" for it in processes())
        raise gdb.GdbError(f"no process `{which}`; there are {names}")
    return found[-1]


def threads(process):
    """Its threads."""
    for thread in elements(inner(process["threads"])["list"]):
        yield inner(thread)


def thread(number):
    """The thread of that number."""
    for process in processes():
        for it in threads(process):
            if int(it["id"]) == number:
                return it
    raise gdb.GdbError(f"no thread {number}; `capos ps` lists them")


def capabilities(process):
    """Its capabilities: index, generation and entry."""
    slots = inner(process["table"])["slots"]
    for index, slot in enumerate(elements(slots["all"])):
        entry = option(slot["entry"])
        if entry is not None:
            yield index, int(slot["generation"]), entry


def top_table(process):
    """The physical address of its page tables."""
    return int(inner(process["space"])["top"])
