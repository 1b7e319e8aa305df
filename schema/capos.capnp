@0xc5a8d2f1b06e4a01;
# Annotations of our own. See docs/src/interface.md for what the generator makes of them.

annotation kernelHosted @0xc5a8d2f1b06e4a02 (interface) :Void;
# The kernel implements this interface in kernel/core/src/cap/<name>.rs. Its messages keep to the flat subset: scalars, enums and
# capabilities, and at most one Text or Data, which comes last.

annotation endOfStream @0xc5a8d2f1b06e4a03 (method) :Void;
# Documentation only: the method answers `endOfStream` when there will never be more.
