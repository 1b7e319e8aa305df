//! Tables that other tools wrote, and what may have happened to them since.

mod damage;
mod disk;
mod mbr;
mod nonsense;
mod tools;
