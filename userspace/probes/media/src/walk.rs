//! Everything that is on the medium.

use crate::content::{is_seq, read};
use crate::{MEMORY, Probe};
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use probe::Fields;
use rt::generated::{DirectoryClient, FileClient};
use rt::schema::directory::{Creation, EntryKind};
use rt::{CallError, ExceptionCode};

/// Errors that are told.
const TOLD: usize = 10;

/// What was found.
#[derive(Default)]
pub struct Walk {
    pub files: usize,
    pub directories: usize,
    pub bytes: u64,
    /// Bytes that are what they are to be.
    pub seq: u64,
    pub errors: usize,
    /// The name of a file at the root that can be read.
    pub readable: Option<String>,
}

impl Walk {
    /// Looks at all of it.
    pub async fn of(probe: &Probe) -> Result<Walk, CallError> {
        let mut walk = Walk::default();
        let mut left = vec![(String::new(), probe.directory.read_only().await?)];
        while let Some((path, directory)) = left.pop() {
            walk.directories += 1;
            for (kind, name) in walk.list(probe, &path, &directory).await? {
                let path = alloc::format!("{path}/{name}");
                let found = match kind {
                    EntryKind::Directory => {
                        let below = directory.open_directory(Creation::Existing, false, &name).await;
                        below.map(|below| left.push((path.clone(), below)))
                    }
                    _ => {
                        walk.file(probe, &path, directory.open_file(Creation::Existing, false, &name).await)
                            .await
                    }
                };
                match found {
                    Ok(()) => {}
                    Err(error) => walk.error(probe, &path, error)?,
                }
            }
        }
        Ok(walk)
    }

    /// Names, a page after the other. What hides the rest is an error of its own.
    async fn list(
        &mut self,
        probe: &Probe,
        path: &str,
        directory: &DirectoryClient,
    ) -> Result<Vec<(EntryKind, String)>, CallError> {
        let mut all: Vec<(EntryKind, String)> = Vec::new();
        loop {
            let after = all.last().map_or("", |(_, name)| name.as_str());
            let page = match directory.list(after).await {
                Ok(page) => page,
                Err(error) => {
                    self.error(probe, path, error)?;
                    return Ok(all);
                }
            };
            let before = all.len();
            all.extend(records(&page.records));
            let is_sorted = all.is_sorted_by(|one, next| one.1 < next.1);
            if !is_sorted || all.len() - before != usize::from(page.count) {
                probe.report.check("a page of a listing", false, path);
            }
            if page.end {
                return Ok(all);
            }
        }
    }

    async fn file(
        &mut self,
        probe: &Probe,
        path: &str,
        file: Result<FileClient, CallError>,
    ) -> Result<(), CallError> {
        self.files += 1;
        let Some(bytes) = read(probe, &file?).await? else {
            probe.report.check("a file is the same, however it is read", false, path);
            return Ok(());
        };
        self.bytes += bytes.len() as u64;
        if path.ends_with(".seq") || path.ends_with(".SEQ") {
            let is_right = is_seq(&bytes);
            probe.report.check("a file has what was written", is_right, path);
            self.seq += if is_right { bytes.len() as u64 } else { 0 };
            if path.matches('/').count() == 1 && bytes.len() as u64 > MEMORY {
                self.readable = Some(path.trim_start_matches('/').to_string());
            }
        }
        Ok(())
    }

    /// What the medium is to blame for; anything else ends it.
    fn error(&mut self, probe: &Probe, path: &str, error: CallError) -> Result<(), CallError> {
        if error.exception() != Some(ExceptionCode::DeviceFault) {
            return Err(error);
        }
        self.errors += 1;
        if self.errors <= TOLD {
            let why = alloc::format!("{error}");
            probe.report.event("media.damage", Fields::new().text("path", path).text("why", &why));
        }
        Ok(())
    }
}

/// Kinds and names (schema/directory.capnp).
fn records(mut bytes: &[u8]) -> Vec<(EntryKind, String)> {
    let mut all = Vec::new();
    while let Some((head, rest)) = bytes.split_first_chunk::<32>() {
        let length = usize::from(head[26]);
        let name = rest.get(..length).and_then(|name| core::str::from_utf8(name).ok());
        let kind =
            if head[24] == EntryKind::Directory as u8 { EntryKind::Directory } else { EntryKind::File };
        all.extend(name.map(|name| (kind, name.to_string())));
        bytes = rest.get(length.next_multiple_of(8)..).unwrap_or_default();
    }
    all
}
