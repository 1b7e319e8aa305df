//! Files out of an image, and directories with all that is in them, whoever made it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use capos_text::shown;

use super::called;
use crate::exec::{Context, Failure};

/// How many failures are told of.
const TOLD: usize = 20;

/// What is in a directory, by names, and why there may be more.
pub type Inside<Node> = (Vec<(String, Node)>, Result<(), Failure>);

/// What is on an image.
pub trait Tree {
    /// A file or a directory.
    type Node;

    /// What a path leads to.
    fn find(&self, path: &str) -> Result<Self::Node, Failure>;

    /// Which directory it is; none for what has bytes.
    fn directory(&self, node: &Self::Node) -> Option<u64>;

    /// What is in a directory.
    fn inside(&self, node: &Self::Node, path: &str) -> Inside<Self::Node>;

    /// Writes the bytes to a new file.
    fn fill(&self, node: &Self::Node, path: &str, file: &mut File) -> Result<(), Failure>;

    /// Writes the bytes to standard output.
    fn show(&self, node: &Self::Node, path: &str) -> Result<(), Failure>;
}

/// Copies a file to a file or to standard output, or a directory to a new folder.
pub fn get<T: Tree>(tree: &T, path: &str, to: Option<&Path>) -> Result<(), Failure> {
    let node = tree.find(path)?;
    let is_directory = tree.directory(&node).is_some();
    match to {
        None if is_directory => Err(Failure::new(format!(
            "{} is a directory: `ls` shows what is in it, and `get` copies it to a folder that you name",
            called(path)
        ))),
        None => tree.show(&node, path),
        Some(to) if is_directory => get_all(tree, node, path, to),
        Some(to) => whole(to, File::create, |file| tree.fill(&node, path, file)),
    }
}

/// Has a file filled, and leaves none where that fails: a part of it would look like all of it.
fn whole(
    to: &Path,
    create: impl FnOnce(PathBuf) -> io::Result<File>,
    fill: impl FnOnce(&mut File) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut file = create(to.to_owned()).context(to.display())?;
    let done = fill(&mut file);
    if done.is_err() && to.is_file() {
        let _ = std::fs::remove_file(to);
    }
    done
}

/// Copies all that can be copied, and tells of the rest.
fn get_all<T: Tree>(tree: &T, node: T::Node, path: &str, to: &Path) -> Result<(), Failure> {
    // All below is new, then: nothing that is there leads out of it.
    std::fs::create_dir(to).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::new(format!(
            "{} is there already: a directory is copied to a folder that is not there yet",
            to.display()
        )),
        _ => Failure::new(format!("{}: {error}", to.display())),
    })?;
    let mut failures = Vec::new();
    let mut passed: BTreeSet<u64> = tree.directory(&node).into_iter().collect();
    let mut open = vec![(node, path.trim_end_matches('/').to_owned(), to.to_owned())];
    while let Some((directory, path, to)) = open.pop() {
        let (inside, all) = tree.inside(&directory, &path);
        failures.extend(all.err());
        for (name, node) in inside {
            let at = format!("{path}/{name}");
            match get_one(tree, &node, &mut passed, (&at, &name), &to) {
                Ok(Some(folder)) => open.push((node, at, folder)),
                Ok(None) => {}
                Err(failure) => failures.push(failure),
            }
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(left(&failures, &to.display().to_string())) }
}

/// Copies what has bytes, and makes a folder of a directory.
fn get_one<T: Tree>(
    tree: &T,
    node: &T::Node,
    passed: &mut BTreeSet<u64>,
    (path, name): (&str, &str),
    into: &Path,
) -> Result<Option<PathBuf>, Failure> {
    let refused = |why: &str| Failure::new(format!("{}: {why}", shown(path)));
    if matches!(name, "" | "." | "..") || name.contains(['/', '\0']) {
        return Err(refused("no file can have that name"));
    }
    let to = into.join(name);
    let Some(directory) = tree.directory(node) else {
        return whole(&to, File::create_new, |file| tree.fill(node, path, file)).map(|()| None);
    };
    // Whoever made the image may have it lead to itself, or to the same a thousand times.
    if !passed.insert(directory) {
        return Err(refused("it is a directory that was copied under another name"));
    }
    std::fs::create_dir(&to).context(to.display())?;
    Ok(Some(to))
}

/// What of it is not where it was to get, and why.
pub fn left(failures: &[Failure], to: &str) -> Failure {
    let told: String = failures.iter().take(TOLD).map(|failure| format!("\n  {failure}")).collect();
    let more = match failures.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("\n  and {more} more"),
    };
    Failure::new(format!("{to} is not all of it; this could not be copied:{told}{more}"))
}
