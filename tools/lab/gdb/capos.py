"""For gdb: `source` this with the kernel's symbols loaded. `cap gdb` does."""
import os
import sys

import gdb

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import commands  # noqa: E402
import printers  # noqa: E402

gdb.execute("set language rust")
gdb.printing.register_pretty_printer(gdb.current_objfile(), printers.collection(), replace=True)
commands.register()
