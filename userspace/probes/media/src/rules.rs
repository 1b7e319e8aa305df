//! What is refused, and what a facet says of itself.

use crate::Probe;
use alloc::format;
use rt::generated::{DirectoryClient, NamespaceClient};
use rt::schema::directory::{Creation, EntryKind};
use rt::schema::file::TimeSource;
use rt::{CallError, ExceptionCode};

/// All of it, with a large file of the root.
pub async fn break_all(probe: &Probe, name: &str) -> Result<(), CallError> {
    changes(probe, name).await?;
    contents(probe, name).await?;
    names(probe, name).await?;
    looks(probe, name).await
}

impl Probe {
    fn refuses<T>(&self, what: &str, done: Result<T, CallError>, code: ExceptionCode) {
        let found = done.map_err(|error| error.exception()).err().flatten();
        self.report.check(what, found == Some(code), format!("{found:?}"));
    }

    fn denies<T>(&self, what: &str, done: Result<T, CallError>) {
        self.refuses(what, done, ExceptionCode::Denied);
    }
}

async fn changes(probe: &Probe, name: &str) -> Result<(), CallError> {
    let root = &probe.directory;
    probe.denies("a new file", root.open_file(Creation::Always, true, "new").await);
    probe.denies("one that is made if it is missing", root.open_file(Creation::Missing, true, name).await);
    probe.denies("one that is there, to be written", root.open_file(Creation::Existing, true, name).await);
    probe.denies("a new directory", root.open_directory(Creation::Always, true, "new").await);
    probe.denies("its removal", root.remove(name).await);
    probe.denies("another name for it", root.rename(root, false, name, "new").await);
    let names = &probe.root;
    probe.denies("to resolve it to be written", names.resolve(true, name).await);
    probe.denies("a new namespace", names.open_namespace(Creation::Always, "new").await);
    probe.denies("its removal from the namespace", names.remove(name).await);
    probe.denies("another name there", names.rename(true, name, "new").await);
    let file = root.open_file(Creation::Existing, false, name).await?;
    probe.denies("one name more", names.bind_file(&file, false, "new").await);
    Ok(())
}

async fn contents(probe: &Probe, name: &str) -> Result<(), CallError> {
    let file = probe.directory.open_file(Creation::Existing, false, name).await?;
    probe.denies("bytes", file.write(0, b"x").await);
    probe.denies("bytes at the end", file.append(b"x").await);
    probe.denies("another size", file.truncate(0).await);
    probe.denies("zeros", file.clear(0, 1).await);
    probe.refuses("memory that is not attached", file.read_into(0, 0, 10).await, ExceptionCode::WrongState);
    file.attach(&probe.object).await?;
    probe.denies("bytes of memory", file.write_from(0, 0, 10).await);
    let beyond = file.read_into(0, crate::MEMORY - 5, 10).await;
    probe.refuses("more than the memory has room for", beyond, ExceptionCode::InvalidArgument);
    let much = file.read_into(0, 0, u32::MAX).await;
    probe.refuses("more than a call may move", much, ExceptionCode::InvalidArgument);
    file.sync().await?;
    probe.directory.sync().await?;
    Ok(())
}

async fn names(probe: &Probe, name: &str) -> Result<(), CallError> {
    let root = &probe.directory;
    for wrong in ["", ".", "..", "a/b", "nul\0"] {
        let opened = root.open_file(Creation::Existing, false, wrong).await;
        probe.refuses("no name", opened, ExceptionCode::InvalidArgument);
    }
    let none = root.open_file(Creation::Existing, false, "none").await;
    probe.refuses("a name that is not there", none, ExceptionCode::NotFound);
    let kind = root.open_directory(Creation::Existing, false, name).await;
    probe.refuses("a file as a directory", kind, ExceptionCode::WrongState);
    let kind = probe.root.open_namespace(Creation::Existing, name).await;
    probe.refuses("or as a namespace", kind, ExceptionCode::WrongState);
    Ok(())
}

async fn looks(probe: &Probe, name: &str) -> Result<(), CallError> {
    let stat = probe.directory.stat(name).await?;
    let file = probe.directory.open_file(Creation::Existing, false, name).await?;
    let same = file.read_only().await?.stat().await?;
    let is_so = |what: &str, is: bool| probe.report.check(what, is, "");
    is_so("a file is the one that its name leads to", stat.object == same.object && stat.size == same.size);
    is_so("it can not be written", !same.writable && !probe.directory.info().await?.writable);
    let has_time = same.modified == TimeSource::Host && same.modified_ns == 1_795_350_896_000_000_000;
    probe.report.check("it has the time that it was given", has_time, format!("{}", same.modified_ns));
    let run = file.next(same.size - 1).await?;
    is_so("it is one run of bytes", (run.start, run.length) == (0, same.size));
    probe.refuses("there is nothing behind", file.next(same.size).await, ExceptionCode::NotFound);
    let closed: NamespaceClient = probe.root.read_only().await?;
    let resolved = closed.resolve(false, name).await?;
    is_so("a name says what it leads to", resolved.kind == EntryKind::File);
    let (first, second) = (closed.list("").await?, probe.directory.list("").await?);
    is_so(
        "a namespace has what its directory has",
        first.records == second.records && first.end == second.end,
    );
    let below: DirectoryClient = closed.open_directory(Creation::Existing, "docs").await?;
    is_so("there is more below", below.info().await?.entries > 0);
    Ok(())
}
