//! Operations by chance, each of which is told before it is done: whoever hears it, and finds the disk later, knows what has to be there
//! (`tools/crash/src/story.rs`).

use crate::Probe;
use alloc::format;
use alloc::vec::Vec;
use capos_mutate::Rng;
use probe::Fields;
use rt::generated::{BlobClient, DirectoryClient, FileClient, NamespaceClient};
use rt::schema::directory::{Creation, EntryKind};
use rt::{CallError, Exception, ExceptionCode};

const PLACES: [&str; 5] = ["", "d/", "d/e/", "n/", "d/f/"];
const NAMES: [&str; 7] = ["d", "e", "f", "n", "x", "y", "z"];
/// Made first, since most of the others need them.
const FIRST: [(&str, &str, &str); 4] =
    [("directory", "", "d"), ("directory", "d/", "e"), ("directory", "d/", "f"), ("namespace", "", "n")];
/// Bytes of a message, at most.
const MOST: u32 = 4000;
/// Where a file is written, at most.
const FAR: u32 = 60_000;
/// Files that are held at a time.
const HELD: usize = 4;

/// Where names are.
enum Place {
    Directory(DirectoryClient),
    /// The volume's root, if none.
    Namespace(Option<NamespaceClient>),
}

/// What a name leads to that has bytes.
enum Bytes {
    File(FileClient),
    Blob(BlobClient),
}

/// Whoever does them.
struct Worker<'p> {
    probe: &'p Probe,
    rng: Rng,
    held: Vec<FileClient>,
    /// Operations that were told.
    told: u64,
}

/// So many of them.
pub async fn work(probe: &Probe, count: u64) -> Result<(), CallError> {
    // After each start others, by what is there.
    let space = probe.volume.space().await?;
    let rng = Rng::new(probe.seed ^ space.free.wrapping_mul(31) ^ space.objects);
    let mut worker = Worker { probe, rng, held: Vec::new(), told: 0 };
    probe.report.event("files.begun", Fields::new());
    for (verb, place, name) in FIRST {
        worker.name(verb, place, name).await;
    }
    for _ in 0..count {
        worker.one().await;
    }
    worker.sync().await;
    probe.report.event("files.worked", Fields::new().value("ops", worker.told));
    Ok(())
}

impl Worker<'_> {
    /// Tells of an operation, and gives its number.
    fn tell(&mut self, op: &str) -> u64 {
        let number = self.told;
        self.told += 1;
        self.probe.report.event("files.op", Fields::new().value("number", number).text("op", op));
        number
    }

    /// Tells that an operation was refused, if it was.
    fn came_of<T>(&self, number: u64, done: Result<T, CallError>) {
        if let Err(error) = done {
            let why = error.exception().map_or_else(|| format!("{error:?}"), |code| format!("{code:?}"));
            self.probe.report.event("files.refused", Fields::new().value("number", number).text("why", &why));
        }
    }

    fn word(&mut self) -> &'static str {
        if self.rng.chance(1, 2) { "replace" } else { "new" }
    }

    fn somewhere(&mut self) -> (&'static str, &'static str) {
        (self.rng.pick(&PLACES).unwrap_or(""), self.rng.pick(&NAMES).unwrap_or("x"))
    }

    async fn one(&mut self) {
        let (path, name) = self.somewhere();
        match self.rng.below(20) {
            0..3 => self.name("file", path, name).await,
            3 => self.name("directory", path, name).await,
            4 => self.name("namespace", path, name).await,
            5 | 6 => self.name("remove", path, name).await,
            7 | 8 => self.rename(path, name).await,
            9 => self.blob(path, name).await,
            10 => self.bind(path, name).await,
            11 => self.collect().await,
            12 => self.hold(path, name).await,
            13..17 => self.change(path, name).await,
            _ => self.sync().await,
        }
    }

    /// Where names are, if that is there.
    async fn find(&self, path: &str) -> Option<Place> {
        let mut at = Place::Namespace(None);
        for name in path.split('/').filter(|name| !name.is_empty()) {
            at = match &at {
                Place::Directory(directory) => {
                    Place::Directory(directory.open_directory(Creation::Existing, true, name).await.ok()?)
                }
                Place::Namespace(namespace) => {
                    let found = self.or_root(namespace).resolve(true, name).await.ok()?;
                    match found.kind {
                        EntryKind::Directory => Place::Directory(found.object.into()),
                        EntryKind::Namespace => Place::Namespace(Some(found.object.into())),
                        _ => return None,
                    }
                }
            };
        }
        Some(at)
    }

    fn or_root<'a>(&'a self, namespace: &'a Option<NamespaceClient>) -> &'a NamespaceClient {
        namespace.as_ref().unwrap_or(&self.probe.root)
    }

    /// What is there that has bytes.
    async fn bytes(&self, place: &Place, name: &str) -> Result<Bytes, CallError> {
        match place {
            Place::Directory(directory) => {
                directory.open_file(Creation::Existing, true, name).await.map(Bytes::File)
            }
            Place::Namespace(namespace) => {
                let found = self.or_root(namespace).resolve(true, name).await?;
                match found.kind {
                    EntryKind::File => Ok(Bytes::File(found.object.into())),
                    EntryKind::Blob => Ok(Bytes::Blob(found.object.into())),
                    _ => Err(no_file()),
                }
            }
        }
    }

    async fn file(&self, place: &Place, name: &str) -> Result<FileClient, CallError> {
        match self.bytes(place, name).await? {
            Bytes::File(file) => Ok(file),
            Bytes::Blob(_) => Err(no_file()),
        }
    }

    /// Makes something, or takes a name away. What an interface cannot even say is left out.
    async fn name(&mut self, verb: &str, path: &str, name: &str) {
        let Some(place) = self.find(path).await else { return };
        let may = match &place {
            Place::Directory(_) => verb != "namespace",
            Place::Namespace(_) => verb != "file",
        };
        if !may {
            return;
        }
        let number = self.tell(&format!("{verb} {path}{name}"));
        let done = match &place {
            Place::Directory(directory) => match verb {
                "file" => directory.open_file(Creation::Always, true, name).await.map(drop),
                "remove" => directory.remove(name).await,
                _ => directory.open_directory(Creation::Always, true, name).await.map(drop),
            },
            Place::Namespace(namespace) => {
                let namespace = self.or_root(namespace);
                match verb {
                    "namespace" => namespace.open_namespace(Creation::Always, name).await.map(drop),
                    "remove" => namespace.remove(name).await,
                    _ => namespace.open_directory(Creation::Always, name).await.map(drop),
                }
            }
        };
        self.came_of(number, done);
    }

    async fn rename(&mut self, path: &str, name: &str) {
        let (mut to, new) = self.somewhere();
        if self.rng.chance(1, 2) {
            to = path;
        }
        let word = self.word();
        let (Some(source), Some(target)) = (self.find(path).await, self.find(to).await) else { return };
        let op = format!("rename {path}{name} {to}{new} {word}");
        let replaces = word == "replace";
        match (&source, &target) {
            (Place::Directory(source), Place::Directory(target)) => {
                let number = self.tell(&op);
                let done = source.rename(target, replaces, name, new).await;
                self.came_of(number, done);
            }
            (Place::Namespace(source), Place::Namespace(_)) if path == to => {
                let number = self.tell(&op);
                let done = self.or_root(source).rename(replaces, name, new).await;
                self.came_of(number, done);
            }
            _ => {}
        }
    }

    async fn blob(&mut self, path: &str, name: &str) {
        let Some(Place::Namespace(namespace)) = self.find(path).await else { return };
        let (length, value) = (self.rng.below(MOST) as usize, self.rng.below(4) as u8);
        let number = self.tell(&format!("blob {path}{name} {length} {value}"));
        let done = match self.probe.store.put(&pattern(0, length, value)).await {
            Ok(put) => self.or_root(&namespace).bind_blob(&put.blob, false, name).await,
            Err(error) => Err(error),
        };
        self.came_of(number, done);
    }

    async fn bind(&mut self, path: &str, name: &str) {
        let (to, new) = self.somewhere();
        let word = self.word();
        let Some(source) = self.find(path).await else { return };
        let Some(Place::Namespace(target)) = self.find(to).await else { return };
        let number = self.tell(&format!("bind {path}{name} {to}{new} {word}"));
        let replaces = word == "replace";
        let done = match self.bytes(&source, name).await {
            Ok(Bytes::File(file)) => self.or_root(&target).bind_file(&file, replaces, new).await,
            Ok(Bytes::Blob(blob)) => self.or_root(&target).bind_blob(&blob, replaces, new).await,
            Err(error) => Err(error),
        };
        self.came_of(number, done);
    }

    async fn hold(&mut self, path: &str, name: &str) {
        let Some(place) = self.find(path).await else { return };
        let number = self.tell(&format!("hold {path}{name}"));
        let held = self.file(&place, name).await;
        if self.held.len() == HELD {
            self.held.remove(0);
        }
        let done = held.map(|file| self.held.push(file));
        self.came_of(number, done);
    }

    async fn collect(&mut self) {
        let number = self.tell("collect");
        let done = self.probe.store.collect().await;
        self.came_of(number, done);
    }

    async fn sync(&mut self) {
        let number = self.tell("sync");
        let done = self.probe.root.sync().await;
        if done.is_ok() {
            self.probe.report.event("files.synced", Fields::new().value("number", number + 1));
        }
        self.came_of(number, done);
    }

    /// Changes the bytes of a file.
    async fn change(&mut self, path: &str, name: &str) {
        let Some(place) = self.find(path).await else { return };
        let offset = u64::from(self.rng.below(FAR));
        let (length, value) = (self.rng.below(MOST), self.rng.below(256) as u8);
        let verb = self.rng.pick(&["write", "write", "append", "truncate", "clear"]).unwrap_or("write");
        let words = match verb {
            "append" => format!("{length} {value}"),
            "truncate" => format!("{offset}"),
            "clear" => format!("{offset} {length}"),
            _ => format!("{offset} {length} {value}"),
        };
        let number = self.tell(&format!("{verb} {path}{name} {words}"));
        let done = match self.file(&place, name).await {
            Ok(file) => match verb {
                "append" => append(&file, length as usize, value).await,
                "truncate" => file.truncate(offset).await,
                "clear" => file.clear(offset, length.into()).await,
                _ => file.write(offset, &pattern(offset, length as usize, value)).await,
            },
            Err(error) => Err(error),
        };
        self.came_of(number, done);
    }
}

async fn append(file: &FileClient, length: usize, value: u8) -> Result<(), CallError> {
    let end = file.stat().await?.size;
    file.append(&pattern(end, length, value)).await.map(drop)
}

fn no_file() -> CallError {
    CallError::Exception(Exception::from(ExceptionCode::WrongState))
}

/// Bytes that tell where they were written; as `tools/crash` has them.
fn pattern(offset: u64, length: usize, value: u8) -> Vec<u8> {
    let byte = |at: u64| value ^ (at / 4096) as u8 ^ (at as u8).wrapping_mul(31);
    (offset..).take(length).map(byte).collect()
}
