//! Where things are: the repository and its target folders.

use std::path::{Path, PathBuf};

use crate::exec::Failure;

/// The folders of one checkout.
#[derive(Clone, Debug)]
pub struct House {
    /// Of the repository.
    pub root: PathBuf,
}

impl House {
    /// The repository around the current directory.
    pub fn find() -> Result<House, Failure> {
        let start =
            std::env::current_dir().map_err(|error| Failure::new(format!("current directory: {error}")))?;
        let is_root = |folder: &&Path| folder.join("schema").is_dir() && folder.join("Cargo.toml").is_file();
        match start.ancestors().find(is_root) {
            Some(root) => Ok(House { root: root.to_owned() }),
            None => Err(Failure::new("this is not inside a capOS checkout")),
        }
    }

    /// Everything built goes below it.
    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    /// Kernel, loader, programs and packages: what boots.
    pub fn boot(&self) -> PathBuf {
        self.target().join("boot")
    }

    /// Runs of the lab.
    pub fn lab(&self) -> PathBuf {
        self.target().join("lab")
    }

    /// The case files.
    pub fn cases(&self) -> PathBuf {
        self.root.join("tools/lab/cases")
    }

    /// `path` as a person in the repository would type it.
    pub fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}
