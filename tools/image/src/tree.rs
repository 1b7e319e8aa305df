//! The files on a medium, as paths and bytes in sorted order; a file system is made of it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::contents::{HANDOFF, KERNEL};
use crate::{Contents, Error};

/// The folder of our files on every medium.
pub const FOLDER: &str = "capos";

/// Where UEFI firmware looks for a loader.
pub const UEFI_LOADER: &str = "EFI/BOOT/BOOTX64.EFI";

/// Files by their paths, which use `/` and have none at the start.
#[derive(Clone, Debug, Default)]
pub struct Tree<'a> {
    files: BTreeMap<String, &'a [u8]>,
}

impl<'a> Tree<'a> {
    /// A tree with kernel and boot files in [`FOLDER`].
    pub fn of(contents: &'a Contents) -> Tree<'a> {
        let mut tree = Tree::default();
        tree.add(&format!("{FOLDER}/{KERNEL}"), contents.kernel());
        for file in contents.files() {
            tree.add(&format!("{FOLDER}/{}", file.name), &file.data);
        }
        tree
    }

    /// Adds our loader.
    pub fn add_handoff(&mut self, handoff: &'a [u8]) {
        self.add(&format!("{FOLDER}/{HANDOFF}"), handoff);
    }

    /// Adds a file.
    pub fn add(&mut self, path: &str, data: &'a [u8]) {
        self.files.insert(path.to_owned(), data);
    }

    /// All files, sorted by path.
    pub fn files(&self) -> impl Iterator<Item = (&str, &'a [u8])> {
        self.files.iter().map(|(path, data)| (path.as_str(), *data))
    }

    /// All folders, each before those within it.
    pub fn folders(&self) -> Vec<&str> {
        let ends = |path: &'_ str| path.match_indices('/').map(|(end, _)| end).collect::<Vec<_>>();
        let mut folders: Vec<&str> =
            self.files.keys().flat_map(|path| ends(path).into_iter().map(|end| &path[..end])).collect();
        folders.sort_unstable();
        folders.dedup();
        folders
    }

    /// Writes the tree below `root`.
    pub fn write(&self, root: &Path) -> Result<(), Error> {
        for folder in self.folders() {
            let path = root.join(folder);
            std::fs::create_dir_all(&path).map_err(|error| Error::io(&path, error))?;
        }
        for (path, data) in self.files() {
            let path = root.join(path);
            std::fs::write(&path, data).map_err(|error| Error::io(&path, error))?;
        }
        Ok(())
    }
}
