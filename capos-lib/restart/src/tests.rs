//! Tests of every part.

mod machine;
mod policy;
mod records;
mod world;
