//! Where things are: the repository and its target folders.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::exec::{Context, Failure};

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

    /// Waits until no other command writes what boots from here, and keeps others from it for as long as the file lives.
    pub fn turn(&self) -> Result<File, Failure> {
        let path = self.target().join("turn");
        fs::create_dir_all(self.target()).context(self.target().display())?;
        let file = File::create(&path).context(path.display())?;
        if file.try_lock().is_err() {
            eprintln!("another command builds in this tree; waiting for it");
            file.lock().context(path.display())?;
        }
        Ok(file)
    }

    /// `path` as a person in the repository would type it.
    pub fn short<'a>(&self, path: &'a Path) -> &'a Path {
        path.strip_prefix(&self.root).unwrap_or(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_in_one_tree_take_turns() {
        let root = std::env::temp_dir().join(format!("capos-turn-{}", std::process::id()));
        let house = House { root: root.clone() };
        let turn = house.turn().unwrap();
        assert!(File::create(house.target().join("turn")).unwrap().try_lock().is_err());
        let other = std::thread::spawn(move || house.turn().map(drop).is_ok());
        drop(turn);
        assert!(other.join().unwrap());
        fs::remove_dir_all(root).unwrap();
    }
}
