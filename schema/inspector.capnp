@0xa11c0de0f00d0040;
using Capos = import "capos.capnp";

enum Listing {
  processors @0;
  # The processors. A place is an `index`, `process` is 0.
  processes @1;
  # The processes that have not ended, or not been taken back whole. A place is the id in `process`, `index` is 0.
  threads @2;
  # Their threads. A place is a process and the id of a thread in `index`.
  capabilities @3;
  # What is in their tables. A place is a process and a slot in `index`.
}

interface Inspector $Capos.kernelHosted {
  # Who is there, who holds what, and who uses how much of everything: of all processes, whoever they belong to. To hold this is to see all of
  # that, and to change nothing. No number it tells is an address or a handle.

  list @0 (listing :Listing, only :Bool, process :UInt64, index :UInt64, epoch :UInt64)
       -> (timeNs :UInt64, epoch :UInt64, process :UInt64, index :UInt64, length :UInt16, end :Bool, records :Data);
  # As many records as fit, of those at or behind the place that `process` and `index` say; zeros are the beginning. With `only` the threads or
  # capabilities of that process alone. They are `length` bytes each; the book's page "Looking" says what is in them, and later versions add at the end.
  # The answer's `process` and `index` are the place to go on at; `end` says that nothing follows. One call looks at a bounded number of
  # things, so an answer may have no records and not be the end.
  #
  # What one answer tells of one table, or of the threads of one process, was so at one moment; `timeNs` is the time since boot at its end. Its `epoch`
  # changes whenever something comes to or goes from the list in which the answer ends: the processes, the threads of one, a table. It is 0 when the
  # next answer begins a list of its own. Given to the next call it has that refuse to go on in a list that is not the same any more: `wrongState`. With 0
  # it goes on whatever has changed, and what was there all the time is told once.
  #
  # `notFound`: with `only`, there is no such process. `invalidArgument`: there is no such place in any listing of that kind.
}
