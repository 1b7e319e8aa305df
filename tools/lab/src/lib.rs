//! The lab: runs cases against the system that ships.
//!
//! A case is one data file (`cases/<area>/<name>.toml`, see README.md beside them). It names a machine, the services and probes to
//! start on it, what to type at the serial port, what to break, and which events must be seen. The lab boots the machine in QEMU,
//! watches it from outside and judges. Nothing is read from the code under test but what it did: events on a port of their own,
//! bytes on the serial line, and how the machine ended.
//!
//! What devices do to memory is seen by the [`canary`].
//!
//! The logic is free of IO where it can be: [`matrix`], [`expect`], [`session`], [`judge`] and [`machine::args`] are plain
//! functions over data; [`run`] and [`runner`] do the rest.

pub mod artefacts;
pub mod canary;
pub mod case;
pub mod clock;
pub mod disk;
pub mod expect;
pub mod glob;
pub mod hand;
pub mod judge;
pub mod ledger;
pub mod library;
pub mod machine;
pub mod matrix;
mod queue;
pub mod run;
pub mod runner;
pub mod session;
pub mod stop;
pub mod table;
pub mod wire;
