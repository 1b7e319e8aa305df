"""`capos ...`: who is there, what they hold, where they are, and breakpoints in processes."""
import os
import subprocess

import entropy
import gdb
import kernel
import memory
import printers
import rings

# How many frames a backtrace shows.
FRAMES = 32


class Capos(gdb.Command):
    """capOS: `help capos` lists what there is."""

    def __init__(self):
        super().__init__("capos", gdb.COMMAND_USER, prefix=True)


def command(name, work, usage):
    """Makes a command of a function of its arguments."""

    class Made(gdb.Command):
        def __init__(self):
            super().__init__(f"capos {name}", gdb.COMMAND_USER)

        def invoke(self, text, _from_tty):
            words = gdb.string_to_argv(text)
            try:
                work(*words)
            except TypeError as error:
                if "positional argument" not in str(error):
                    raise
                raise gdb.GdbError(f"usage: capos {name} {usage}") from error
            except (memory.Absent, gdb.error) as error:
                raise gdb.GdbError(str(error)) from error

    Made.__doc__ = f"capos {name} {usage}\n{work.__doc__}"
    Made()


def number(text):
    """A number that somebody typed."""
    try:
        value = int(text, 0)
    except ValueError:
        value = 0
    if value < 1:
        raise gdb.GdbError(f"`{text}` is no number above 0")
    return value


def ps():
    """All processes and their threads."""
    for process in kernel.processes():
        print(printers.process_line(process))
        for thread in kernel.threads(process):
            print(f"    {printers.thread_line(thread)}")


def threads(which):
    """The threads of a process."""
    for thread in kernel.threads(kernel.process(which)):
        print(printers.thread_line(thread))


def caps(which):
    """The capabilities of a process: index, generation, object, interface, how it may leave."""
    for index, generation, entry in kernel.capabilities(kernel.process(which)):
        print(printers.capability(index, generation, entry))


def ring(which):
    """What lies in the queues of a thread, by its number."""
    found = rings.ring_of(kernel.thread(number(which)))
    print(rings.ring_line(found))
    for line in rings.submissions(found):
        print(f"    submitted: {line}")
    for line in rings.completions(found):
        print(f"    completed: {line}")


def program(name):
    """The file of a program, with its symbols; of a service the one that it runs is the same unless system.cue says otherwise."""
    path = os.path.join(os.environ.get("CAPOS_PROGRAMS", ""), name)
    if not os.path.isfile(path):
        raise gdb.GdbError(f"no program `{name}` was built")
    return path


# Whose symbols are loaded: all programs are linked at the same place.
loaded = []


def symbols(name):
    """Loads the symbols of a program instead of those of another."""
    path = program(name)
    while loaded:
        gdb.execute(f"remove-symbol-file {loaded.pop()}", to_string=True)
    gdb.execute(f"add-symbol-file {path}", to_string=True)
    loaded.append(path)
    print(f"symbols of {name}")


def bt(which):
    """Where a thread left for the kernel, by the registers it had then and its frame pointers. Load the symbols first."""
    thread = kernel.thread(number(which))
    top = kernel.top_table(kernel.inner(thread["process"]))
    state = kernel.inner(kernel.inner(thread["context"])["state"])
    rip, frame = int(state["rip"]), int(state["rbp"])
    for depth in range(FRAMES):
        print(f"#{depth:<3}{rip:#018x} {place(rip)}")
        if frame == 0 or frame % 8:
            return
        try:
            frame, rip = memory.words(top, frame, 2)
        except memory.Absent:
            return
        if rip == 0:
            return


def place(address):
    """A name for an address in a program."""
    line = gdb.execute(f"info symbol {address:#x}", to_string=True).strip()
    return "" if line.startswith("No symbol") else line.split(" in section")[0]


class Stop(gdb.Breakpoint):
    """Stops in one process only, as other programs have other code at the same address; or in the kernel, whoever runs (no `top`)."""

    def __init__(self, where, top, nth):
        super().__init__(where, gdb.BP_HARDWARE_BREAKPOINT)
        self.silent = True
        self.top, self.left = top, nth

    def stop(self):
        # The low bits are the number of the address space, the top one says not to flush (Intel SDM vol. 3, 4.10.4).
        if self.top is not None and int(gdb.parse_and_eval("$cr3")) & memory.ADDRESS != self.top:
            return False
        self.left -= 1
        return self.left <= 0


def function(path, name):
    """The address of a function by the name that a person would write: gdb itself knows methods as those of numbered `impl` blocks."""
    nm = [os.environ.get("CAPOS_NM", "nm"), "--demangle", "--defined-only", path]
    for line in subprocess.run(nm, capture_output=True, text=True, check=True).stdout.splitlines():
        address, _, found = line.split(" ", 2)
        if found == name or found.rsplit("::h", 1)[0] == name:
            return f"*{int(address, 16):#x}"
    return None


def stop_at(which, where, nth="1"):
    """Stops PROCESS, or the `kernel`, the NTH time that it comes to WHERE: a function, file:line or *address. Load the symbols first."""
    own, nth = which == "kernel", number(nth)
    top = None if own else kernel.top_table(kernel.process(which))
    files = [gdb.current_progspace().filename] if own else loaded
    found = next((function(path, where) for path in files), None) or where
    try:
        # Before gdb has a breakpoint that waits for somebody to load what is not there.
        gdb.decode_line(found)
    except gdb.error as error:
        raise gdb.GdbError(f"`{where}` is not in the symbols that are loaded") from error
    Stop(found, top, nth)


def peek(which, address, count="8"):
    """Words of a process's memory."""
    first = int(gdb.parse_and_eval(address))
    values = memory.words(kernel.top_table(kernel.process(which)), first, number(count))
    for at, value in enumerate(values):
        print(f"{first + 8 * at:#018x}  {value:#018x}  {place(value)}")


def feed():
    """Runs until the kernel's pool of randomness is fed, and says what with and whether it is what it has to be afterwards."""
    entropy.watch(stop_at)


def register():
    """Makes all commands known."""
    Capos()
    command("ps", ps, "")
    command("threads", threads, "PROCESS")
    command("caps", caps, "PROCESS")
    command("ring", ring, "THREAD")
    command("symbols", symbols, "PROGRAM")
    command("bt", bt, "THREAD")
    command("break", stop_at, "PROCESS WHERE [NTH]")
    command("peek", peek, "PROCESS ADDRESS [WORDS]")
    command("feed", feed, "")
