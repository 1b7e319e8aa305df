//! A way down from a directory, as deep as there are names. Only the last directories on it are held: the others are opened again when
//! they are wanted, so that what a tree takes of the shell does not follow its depth.

use super::path::Path;
use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;
use rt::generated::DirectoryClient;
use rt::schema::directory::Creation;

/// Directories that are held at a time, beside the first.
const HELD: usize = 32;

/// Where somebody is below a directory.
pub struct Descent {
    first: DirectoryClient,
    is_writable: bool,
    names: Vec<String>,
    /// Those at the end of the names.
    held: VecDeque<DirectoryClient>,
}

impl Descent {
    /// In a directory.
    pub fn new(first: DirectoryClient, is_writable: bool) -> Descent {
        Descent { first, is_writable, names: Vec::new(), held: VecDeque::new() }
    }

    /// The path of the place, of which the first directory's is known.
    pub fn path(&self, first: &Path) -> Path {
        let mut path = first.clone();
        path.names.extend(self.names.iter().cloned());
        path
    }

    /// The directory of the place.
    pub async fn here(&mut self) -> Result<&DirectoryClient, CallError> {
        if self.held.is_empty() {
            for name in &self.names {
                let above = self.held.back().unwrap_or(&self.first);
                let below = above.open_directory(Creation::Existing, self.is_writable, name).await?;
                hold(&mut self.held, below);
            }
        }
        Ok(self.held.back().unwrap_or(&self.first))
    }

    /// Goes one further.
    pub async fn enter(&mut self, creation: Creation, name: &str) -> Result<(), CallError> {
        let is_writable = self.is_writable;
        let below = self.here().await?.open_directory(creation, is_writable, name).await?;
        hold(&mut self.held, below);
        self.names.push(String::from(name));
        Ok(())
    }

    /// Goes one back, and says from where; nothing if that is the first.
    pub fn leave(&mut self) -> Option<String> {
        self.held.pop_back();
        self.names.pop()
    }
}

fn hold(held: &mut VecDeque<DirectoryClient>, directory: DirectoryClient) {
    if held.len() == HELD {
        held.pop_front();
    }
    held.push_back(directory);
}
