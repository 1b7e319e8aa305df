//! What is refused.

use crate::Probe;
use crate::before::read;
use core::mem::ManuallyDrop;
use rt::generated::DirectoryClient;
use rt::schema::directory::Creation;
use rt::{CallError, Cap, ExceptionCode};

/// Names that are none.
const NO_NAMES: [&str; 5] = ["", ".", "..", "a/b", "nul\0"];

/// All of it.
pub async fn break_all(probe: &Probe) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Existing, "home").await?;
    for name in NO_NAMES {
        let made = home.open_file(Creation::Always, true, name).await;
        probe.refuses("no name", made, ExceptionCode::InvalidArgument);
    }
    let long = "x".repeat(256);
    let made = home.open_file(Creation::Always, true, &long).await;
    probe.refuses("a name that is too long", made, ExceptionCode::InvalidArgument);
    let again = home.open_file(Creation::Always, true, "long").await;
    probe.refuses("a name that is there", again, ExceptionCode::Exists);
    let none = home.open_file(Creation::Existing, true, "none").await;
    probe.refuses("a name that is not", none, ExceptionCode::NotFound);
    let kind = home.open_directory(Creation::Existing, true, "long").await;
    probe.refuses("a file as a directory", kind, ExceptionCode::WrongState);
    probe.refuses("a directory with entries", home.remove("many").await, ExceptionCode::WrongState);
    read_only(probe, &home).await?;
    moves(probe, &home).await?;
    quota(probe).await
}

async fn read_only(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let closed = home.read_only().await?;
    let made = closed.open_file(Creation::Always, true, "new").await;
    probe.refuses("a file through a facet that only looks", made, ExceptionCode::Denied);
    let opened = closed.open_file(Creation::Existing, true, "long").await;
    probe.refuses("one that is there, to be written", opened, ExceptionCode::Denied);
    probe.refuses("its removal", closed.remove("long").await, ExceptionCode::Denied);
    let below = closed.open_directory(Creation::Existing, true, "many").await;
    probe.refuses("what is below, to be changed", below, ExceptionCode::Denied);
    let file = closed.open_file(Creation::Existing, false, "long").await?;
    probe.refuses("bytes", file.write(0, b"x").await, ExceptionCode::Denied);
    probe.refuses("a new end", file.truncate(0).await, ExceptionCode::Denied);
    probe.is("it can be read", read(&file, 0, 10).await?.len(), 10);
    Ok(())
}

async fn moves(probe: &Probe, home: &DirectoryClient) -> Result<(), CallError> {
    let many = home.open_directory(Creation::Existing, true, "many").await?;
    let below = home.rename(&many, false, "many", "self").await;
    probe.refuses("a directory below itself", below, ExceptionCode::InvalidArgument);
    let taken = home.rename(home, false, "long", "ends").await;
    probe.refuses("a name that is taken", taken, ExceptionCode::Exists);
    let closed = home.read_only().await?;
    let moved = home.rename(&closed, false, "long", "there").await;
    probe.refuses("into what may only be looked at", moved, ExceptionCode::Denied);
    // What is no directory proves nothing.
    let stranger = ManuallyDrop::new(DirectoryClient::from(Cap::from_id(probe.root.cap().id())));
    let moved = home.rename(&*stranger, false, "long", "there").await;
    probe.refuses("to what is no directory", moved, ExceptionCode::InvalidArgument);
    Ok(())
}

async fn quota(probe: &Probe) -> Result<(), CallError> {
    let small = probe.root.open_directory(Creation::Always, "small").await?;
    probe.volume.set_quota(7, 2, 3).await?;
    probe.volume.assign(&small, 7).await?;
    let file = small.open_file(Creation::Always, true, "one").await?;
    file.write(0, &[1; 4000]).await?;
    let more = file.write(4096, &[1; 4000]).await;
    probe.is("two blocks are within the quota", more.is_ok(), true);
    probe.refuses("a third is not", file.write(8192, b"x").await, ExceptionCode::BudgetExhausted);
    let closed = small.read_only().await?;
    let assigned = probe.volume.assign(&closed, 8).await;
    probe.refuses("a facet that only looks is assigned to nobody", assigned, ExceptionCode::Denied);
    small.open_file(Creation::Always, true, "two").await?;
    let third = small.open_file(Creation::Always, true, "three").await;
    probe.refuses("nor is one more object", third, ExceptionCode::BudgetExhausted);
    let used = probe.volume.quota(7).await?;
    probe.is("what is used is counted", (used.blocks, used.objects), (2, 3));
    Ok(())
}
