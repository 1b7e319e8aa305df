//! Host tests. Cores against whole devices, good and faulty, are in `tools/fakes`.

mod layout;
mod split;
