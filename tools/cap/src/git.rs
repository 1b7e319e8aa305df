//! What git knows about the checkout.

use std::path::Path;
use std::process::Command;

use crate::exec::{Failure, ask};

/// Tracked files and new ones that are not ignored, from the root.
pub fn files(root: &Path) -> Result<Vec<String>, Failure> {
    let mut command = Command::new("git");
    command.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    Ok(ask(&mut command)?.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect())
}
