//! A disk that does not take or give back everything: what is refused says so, and everything else is served.

use crate::Probe;
use alloc::format;
use alloc::vec::Vec;
use probe::Fields;
use rt::generated::{DirectoryClient, FileClient, ServicesClient};
use rt::schema::directory::Creation;
use rt::{CallError, ExceptionCode};

/// Files that are made.
const FILES: u64 = 40;
/// Blocks of each.
const BLOCKS: u64 = 3;
/// How often to try what the disk does not take.
const TRIES: u64 = 20;
/// The directory that they are in; it is there when they are all made.
const HOME: &str = "broken";

/// What came of it.
#[derive(Default)]
struct Found {
    right: u64,
    /// The disk did not give it back, and whoever asked was told so.
    refused: u64,
    /// Anything else.
    wrong: u64,
}

/// Makes the files, or if they are there looks at them and mends them. Whether there is to be a second time.
pub async fn work(probe: &Probe) -> Result<bool, CallError> {
    if let Ok(home) = probe.root.open_directory(Creation::Existing, HOME).await {
        look(probe, &home).await?;
        return Ok(false);
    }
    let mut refused = 0;
    for number in 0..FILES {
        for tries in 0.. {
            match make(probe, number).await {
                Ok(()) => break,
                Err(error) if is_fault(&error) && tries < TRIES => refused += 1,
                Err(error) => return Err(error),
            }
        }
    }
    probe.report.event("files.whole", Fields::new().value("files", FILES).value("refused", refused));
    let Some(services) = &probe.services else { return Ok(true) };
    look(probe, &until_broken(probe, services).await?).await?;
    Ok(false)
}

/// Looks again and again until something is broken. Each time the service is another instance, which has read nothing yet.
async fn until_broken(probe: &Probe, services: &ServicesClient) -> Result<DirectoryClient, CallError> {
    loop {
        services.kill("files").await?;
        let home = loop {
            match probe.root.open_directory(Creation::Existing, HOME).await {
                // Its successor may not be there yet.
                Err(error) if error.is_gone() => {}
                done => break done?,
            }
        };
        let found = read(probe, &home, false).await;
        if found.right < FILES * BLOCKS {
            return Ok(home);
        }
    }
}

fn is_fault(error: &CallError) -> bool {
    error.exception() == Some(ExceptionCode::DeviceFault)
}

/// The bytes of a block of a file. They begin with what a person can look for.
fn block(probe: &Probe, number: u64, index: u64) -> Vec<u8> {
    let mut bytes = format!("block {index} of file {number}.").into_bytes();
    bytes.extend(probe.bytes(number * BLOCKS + index, 4000 - bytes.len()));
    bytes
}

/// One file, durably. What is lost of it when a commit fails is made again.
async fn make(probe: &Probe, number: u64) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Missing, HOME).await?;
    let file = home.open_file(Creation::Missing, true, &format!("{number}")).await?;
    for index in 0..BLOCKS {
        file.write(index * 4096, &block(probe, number, index)).await?;
    }
    let unused = home.open_file(Creation::Existing, true, &format!("{number}")).await?;
    let synced = probe.root.sync().await;
    if synced.as_ref().is_err_and(is_fault) {
        let told = unused.sync().await;
        probe.is(
            "a facet that nobody called before tells of the loss, too",
            told.is_err_and(|it| is_fault(&it)),
            true,
        );
        probe.is("and once", unused.sync().await.is_ok(), true);
    }
    synced
}

async fn look(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let before = read(probe, home, false).await;
    report(probe, "files.broken", &before);
    // A check may itself be told that the disk does not give something back.
    let is_sound = check(probe).await.is_ok_and(|found| found == 0);
    probe.is("a check finds what is broken, and nothing else", is_sound, before.refused == 0);
    let mended = read(probe, home, true).await;
    probe.is("nothing more is broken", (mended.right, mended.refused), (before.right, before.refused));
    probe.root.sync().await?;
    report(probe, "files.mended", &read(probe, home, false).await);
    Ok(())
}

/// Tells all that a check finds; how much that is.
async fn check(probe: &Probe) -> Result<u64, CallError> {
    for number in 0.. {
        let found = probe.volume.check(number).await?;
        if found.finding.is_empty() {
            return Ok(number);
        }
        probe.report.event("files.found", Fields::new().text("finding", &found.finding));
    }
    Ok(u64::MAX)
}

fn report(probe: &Probe, name: &str, found: &Found) {
    let fields = Fields::new().value("right", found.right).value("refused", found.refused);
    probe.report.event(name, fields.value("wrong", found.wrong));
}

/// Reads all blocks; whether to write again what is not given back.
async fn read(probe: &Probe, home: &DirectoryClient, mends: bool) -> Found {
    let mut found = Found::default();
    for number in 0..FILES {
        let name = format!("{number}");
        let file = match home.open_file(Creation::Existing, true, &name).await {
            Ok(file) => file,
            Err(error) if is_fault(&error) => {
                found.refused += BLOCKS;
                continue;
            }
            Err(_) => {
                found.wrong += BLOCKS;
                continue;
            }
        };
        for index in 0..BLOCKS {
            one(probe, &file, (number, index), mends, &mut found).await;
        }
    }
    found
}

async fn one(probe: &Probe, file: &FileClient, (number, index): (u64, u64), mends: bool, found: &mut Found) {
    let wanted = block(probe, number, index);
    match file.read(index * 4096, 4000).await {
        Ok(bytes) if bytes == wanted => found.right += 1,
        Err(error) if is_fault(&error) => {
            found.refused += 1;
            if mends {
                mend(probe, file, index, &wanted).await;
            }
        }
        _ => found.wrong += 1,
    }
}

/// A block that is not given back can be given up, and written again.
async fn mend(probe: &Probe, file: &FileClient, index: u64, bytes: &[u8]) {
    let cleared = file.clear(index * 4096, 4096).await;
    probe.is("what is broken can be cleared", cleared.is_ok(), true);
    let written = file.write(index * 4096, bytes).await;
    probe.is("and written again", written.is_ok(), true);
}
