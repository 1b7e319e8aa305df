//! `cp`: one file, or a directory with all that is below, between whatever places there are.

use super::copy::{self, fill, whole};
use super::descent::Descent;
use super::listing::{self, Entry};
use super::path::{Path, Place, shown};
use super::walk::{self, Source};
use super::{interruptible, refused_at};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::size;
use core::fmt;
use rt::generated::DirectoryClient;
use rt::schema::directory::{Creation, EntryKind};
use rt::{CallError, ExceptionCode};

/// With so many troubles it is given up.
const TROUBLES: usize = 10;

/// `cp`, and with `r` of directories, too.
pub async fn copy(session: &Session, letters: &str, from: &str, to: &str) -> Result<String, Trouble> {
    let (from, to) = (walk::path(session, from).await?, walk::path(session, to).await?);
    if letters.contains('r') {
        if from.place == Place::Boot {
            let files = below(session, &from).await?;
            if !files.is_empty() {
                return Tree::begin(session, &from, &to).await?.boot(files).await;
            }
        } else if let Some(directory) = directory(session, &from).await? {
            return Tree::begin(session, &from, &to).await?.volume(directory).await;
        }
    }
    copy::copy(session, &from, &to).await
}

/// The directory at a path; none if a file is there.
async fn directory(session: &Session, path: &Path) -> Result<Option<DirectoryClient>, Trouble> {
    let Some(name) = path.last() else {
        return interruptible(session, walk::directory(session, path, false)).await.map(Some);
    };
    let opened = async {
        let (above, _) = walk::parent(session, path, false).await?;
        match above.open_directory(Creation::Existing, false, name).await {
            Ok(directory) => Ok(Some(directory)),
            Err(error) if error.exception() == Some(ExceptionCode::WrongState) && !path.is_directory => {
                Ok(None)
            }
            Err(error) => Err(refused_at(path)(error)),
        }
    };
    interruptible(session, opened).await
}

/// Boot files below a name, by the names that they have there.
async fn below(session: &Session, from: &Path) -> Result<Vec<String>, Trouble> {
    let mut before = from.names.join("/");
    if !before.is_empty() {
        before.push('/');
    }
    let files = session.boot_files().await?.into_iter();
    Ok(files.filter_map(|(name, _)| name.strip_prefix(&before).map(String::from)).collect())
}

/// A tree that is copied.
struct Tree<'s> {
    session: &'s Session,
    from: Path,
    /// Where it gets.
    to: Path,
    target: Descent,
    files: u64,
    bytes: u64,
    troubles: Vec<String>,
}

impl<'s> Tree<'s> {
    /// Makes the directory that it gets into: in a directory that is there it has its own name, else the one that was said.
    async fn begin(session: &'s Session, from: &Path, to: &Path) -> Result<Tree<'s>, Trouble> {
        if to.place == Place::Store {
            return Err(Trouble::say("directories can not be blobs"));
        }
        if to.place == from.place && to.names.starts_with(&from.names) {
            return Err(Trouble::Say(format!("{from} can not be copied into itself")));
        }
        let made = async {
            // All of a place has no name: what is in it gets right there.
            if from.names.is_empty()
                && let Ok(there) = walk::directory(session, to, true).await
            {
                return Ok((there, to.clone()));
            }
            let plain = Path { is_directory: false, ..to.clone() };
            let (above, to) = copy::target(session, from, &plain).await?;
            let made = above.open_directory(Creation::Missing, true, to.last().unwrap_or_default()).await;
            Ok((made.map_err(refused_in(&to))?, to))
        };
        let (first, to) = interruptible(session, made).await?;
        // A directory in which it is already would have itself in it.
        if to.place == from.place && to.names.starts_with(&from.names) {
            return Err(Trouble::Say(format!("{from} can not be copied into itself")));
        }
        let (target, troubles) = (Descent::new(first, true), Vec::new());
        Ok(Tree { session, from: from.clone(), to, target, files: 0, bytes: 0, troubles })
    }

    /// Copies what is in a directory.
    async fn volume(mut self, first: DirectoryClient) -> Result<String, Trouble> {
        let mut source = Descent::new(first, false);
        let copied = self.all(&mut source).await;
        self.end(copied).await
    }

    /// Everything in the order of the names, so that the last one says where to go on.
    async fn all(&mut self, source: &mut Descent) -> Result<(), Trouble> {
        let session = self.session;
        let mut after = String::new();
        loop {
            let page = async {
                let here = source.here().await?;
                listing::page(here, &after).await
            };
            let page = interruptible(session, async { Ok(page.await) }).await?;
            let (entries, end) = match page {
                Ok(page) => page,
                Err(error) => {
                    self.note(refused_at(&source.path(&self.from))(error))?;
                    (Vec::new(), true)
                }
            };
            let mut entered = false;
            for entry in entries {
                entered = self.one(source, &entry).await?;
                after.clone_from(&entry.name);
                if entered {
                    break;
                }
            }
            if entered {
                after.clear();
            } else if end {
                let Some(name) = source.leave() else { return Ok(()) };
                self.target.leave();
                after = name;
            }
        }
    }

    /// Copies a file, or goes into a directory and tells so.
    async fn one(&mut self, source: &mut Descent, entry: &Entry) -> Result<bool, Trouble> {
        let (session, name) = (self.session, entry.name.as_str());
        if matches!(entry.kind, EntryKind::Directory | EntryKind::Namespace) {
            let entered = interruptible(session, async { Ok(self.enter(source, name).await) }).await?;
            return match entered {
                Ok(()) => Ok(true),
                Err(trouble) => self.note(trouble).map(|()| false),
            };
        }
        let opened = async {
            let file = source.here().await?.open_file(Creation::Existing, false, name).await?;
            let size = file.stat().await?.size;
            Ok(Source::File(file, size))
        };
        let opened: Result<Source, CallError> = interruptible(session, async { Ok(opened.await) }).await?;
        let copied = match opened {
            Ok(file) => self.file(&file, name).await,
            Err(error) => Err(refused_at(&source.path(&self.from).below(name))(error)),
        };
        copied.or_else(|trouble| self.note(trouble)).map(|()| false)
    }

    /// Goes into a directory, and into one of that name where it gets.
    async fn enter(&mut self, source: &mut Descent, name: &str) -> Result<(), Trouble> {
        let to = || self.target.path(&self.to).below(name);
        let (from, to) = (source.path(&self.from).below(name), to());
        self.target.enter(Creation::Missing, name).await.map_err(refused_in(&to))?;
        if let Err(error) = source.enter(Creation::Existing, name).await {
            self.target.leave();
            return Err(refused_at(&from)(error));
        }
        Ok(())
    }

    /// Copies a file to where the target is.
    async fn file(&mut self, file: &Source, name: &str) -> Result<(), Trouble> {
        let path = self.target.path(&self.to).below(name);
        let here = self.target.here().await.map_err(refused_at(&path))?;
        let bytes = whole(self.session, here, &path, async |to| fill(to, file).await).await?;
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }

    /// Copies boot files, whose names have `/` in them.
    async fn boot(mut self, names: Vec<String>) -> Result<String, Trouble> {
        let mut copied = Ok(());
        for name in names {
            copied = self.boot_file(&name).await.or_else(|trouble| self.note(trouble));
            while self.target.leave().is_some() {}
            if copied.is_err() {
                break;
            }
        }
        self.end(copied).await
    }

    async fn boot_file(&mut self, name: &str) -> Result<(), Trouble> {
        let mut path = self.from.clone();
        path.names.extend(name.split('/').map(String::from));
        let file = walk::source(self.session, &path).await?;
        let (above, name) = name.rsplit_once('/').unwrap_or(("", name));
        for directory in above.split('/').filter(|name| !name.is_empty()) {
            let to = self.target.path(&self.to).below(directory);
            self.target.enter(Creation::Missing, directory).await.map_err(refused_in(&to))?;
        }
        self.file(&file, name).await
    }

    /// What can not be copied does not keep the rest from it, unless it goes on like that, or whoever waits has had enough.
    fn note(&mut self, trouble: Trouble) -> Result<(), Trouble> {
        if let Trouble::Interrupted | Trouble::Terminal(_) = trouble {
            return Err(trouble);
        }
        self.troubles.push(format!("{trouble}"));
        match self.troubles.len() < TROUBLES {
            true => Ok(()),
            false => Err(Trouble::say("that is enough: it was given up there")),
        }
    }

    /// Has safe what was copied, and tells what that is.
    async fn end(mut self, copied: Result<(), Trouble>) -> Result<String, Trouble> {
        while self.target.leave().is_some() {}
        let first = self.target.here().await.map_err(refused_at(&self.to))?;
        first.sync().await.map_err(refused_at(&self.to))?;
        let done = format!("{self}");
        match copied {
            Err(Trouble::Terminal(error)) => return Err(Trouble::Terminal(error)),
            Err(trouble) => self.troubles.push(format!("{trouble}")),
            Ok(()) => {}
        }
        if self.troubles.is_empty() {
            return Ok(format!("{done}\n"));
        }
        self.troubles.push(done);
        Err(Trouble::Say(self.troubles.join("\n")))
    }
}

impl fmt::Display for Tree<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files = if self.files == 1 { "file" } else { "files" };
        write!(out, "{} {files}, {} in {}", self.files, size(self.bytes), shown(&format!("{}", self.to)))
    }
}

/// For `map_err`: why a directory was refused that something was to get into.
fn refused_in(path: &Path) -> impl FnOnce(CallError) -> Trouble {
    let path = path.clone();
    move |error| match error.exception() {
        Some(ExceptionCode::WrongState) => Trouble::Say(format!("{path} is no directory")),
        _ => refused_at(&path)(error),
    }
}
