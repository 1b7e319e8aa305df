//! Host tests. Cores against whole devices, good and faulty, are in `tools/fakes`.

mod adapter;
mod blk;
mod layout;
mod net;
mod shape;
mod split;
