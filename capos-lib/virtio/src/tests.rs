//! Host tests. Cores against whole devices, good and faulty, are in `tools/fakes`.

mod blk;
mod layout;
mod shape;
mod split;
