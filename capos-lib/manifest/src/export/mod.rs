//! The export of `system.cue`: JSON with all service definitions and all systems, from which manifests are composed.
//!
//! ```json
//! {"services": {"serial": {"binary": "serial", "caps": {"irq": {"irq": 4}}, "exports": {"line": "ByteStream"}}},
//!  "systems": {"default": {"use": ["serial"], "onPanic": "halt", "seed": 0, "services": {"serial": {"autostart": true}}}}}
//! ```
//!
//! A system lists the services it uses, may change them and may add some of its own. The same form composes the systems of lab
//! cases. Text from outside: every error says where in it.

mod compose;
mod error;
mod fields;
mod json;
mod parse;
mod service;

pub use compose::{Definitions, choices};
pub use error::ExportError;
pub use json::Json;
pub use parse::JsonError;
