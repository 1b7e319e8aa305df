//! A volume against a model, and against disks that fail.

mod at_once;
mod check;
mod crash;
mod disk;
mod faults;
mod fresh;
mod full;
mod maps;
mod model;
mod node;
mod sizes;
mod snapshots;
mod superblock;
mod turns;
mod twins;
