//! Records lie, under checksums that are right: whoever touches them is told so, the rest is served, and a check names them.

use crate::Probe;
use crate::before::{PIECE, read};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::generated::DirectoryClient;
use rt::schema::directory::Creation;
use rt::{CallError, ExceptionCode};

/// What the host made of `home`: see `cap fs craft`.
pub async fn look(probe: &Probe, lie: &str) -> Result<(), CallError> {
    let home = probe.root.open_directory(Creation::Existing, "home").await?;
    let named = match lie {
        "ring" => ring(probe, &home).await?,
        "twice" => twice(probe, &home).await?,
        "shared" => shared(probe, &home).await?,
        "size" => size(probe, &home).await?,
        "outside" => outside(probe, &home).await?,
        _ => names(probe, &home).await?,
    };
    let found = findings(probe).await?;
    for words in named {
        names_it(probe, &found, words);
    }
    let two = home.open_file(Creation::Existing, false, "two").await?;
    probe.is("the rest is served", read(&two, 0, 100).await?, Vec::from(*b"two is sound"));
    let new = home.open_file(Creation::Always, true, "new").await?;
    new.write(0, &probe.bytes(7, PIECE)).await?;
    new.sync().await?;
    probe.is("and can be changed", read(&new, 0, PIECE).await? == probe.bytes(7, PIECE), true);
    Ok(())
}

fn names_it(probe: &Probe, found: &[String], words: &str) {
    let is_named = found.iter().any(|finding| finding.contains(words));
    probe.report.check(words, is_named, format!("{found:?}"));
}

/// Everything that a check finds.
async fn findings(probe: &Probe) -> Result<Vec<String>, CallError> {
    let (mut all, mut cursor) = (Vec::new(), 0);
    loop {
        let found = probe.volume.check(cursor).await?;
        if found.finding.is_empty() {
            return Ok(all);
        }
        all.push(found.finding);
        cursor = found.next;
    }
}

/// `a/b/up` is `a`.
async fn ring(probe: &Probe, home: &DirectoryClient) -> Result<&'static [&'static str], CallError> {
    let mut at = home.open_directory(Creation::Existing, true, "a").await?;
    for _ in 0..20 {
        at = at.open_directory(Creation::Existing, true, "b").await?;
        at = at.open_directory(Creation::Existing, true, "up").await?;
    }
    drop(home.open_directory(Creation::Always, true, "d").await?);
    let moved = home.rename(&at, false, "d", "d").await;
    probe.refuses("a directory goes where there is no way up", moved, ExceptionCode::Malformed);
    probe.refuses("what is in itself is not empty", home.remove("a").await, ExceptionCode::WrongState);
    Ok(&["cannot be reached from the root", "names and says"])
}

/// `twice` is `one`, as a directory.
async fn twice(probe: &Probe, home: &DirectoryClient) -> Result<&'static [&'static str], CallError> {
    let listed = match home.open_directory(Creation::Existing, true, "twice").await {
        Ok(twice) => twice.list("").await.map(drop),
        Err(error) => Err(error),
    };
    probe.refuses("names in a file", listed, ExceptionCode::WrongState);
    let made = match home.open_directory(Creation::Existing, true, "twice").await {
        Ok(twice) => twice.open_file(Creation::Always, true, "in a file").await.map(drop),
        Err(error) => Err(error),
    };
    probe.refuses("a name in a file", made, ExceptionCode::WrongState);
    let one = home.open_file(Creation::Existing, true, "one").await?;
    probe.is("it is what its record says", read(&one, 0, 9).await?, Vec::from(*b"one lies "));
    Ok(&["for a Directory", "it has 2 names and says 1"])
}

/// `thief` has the blocks of `one`.
async fn shared(probe: &Probe, home: &DirectoryClient) -> Result<&'static [&'static str], CallError> {
    let one = home.open_file(Creation::Existing, true, "one").await?;
    let thief = home.open_file(Creation::Existing, true, "thief").await?;
    probe.is("both are read", read(&thief, 0, 100).await?, read(&one, 0, 100).await?);
    // Before one of them gives it back.
    names_it(probe, &findings(probe).await?, "two pointers lead to block");
    thief.write(0, b"what one writes ").await?;
    thief.sync().await?;
    let after = read(&one, 0, 9).await;
    let is_told = after.as_ref().is_err_and(|error| error.exception() == Some(ExceptionCode::DeviceFault));
    let is_whole = after.as_deref().is_ok_and(|bytes| bytes == b"one lies ");
    probe.report.check("the other does not read it", is_told || is_whole, format!("{after:?}"));
    Ok(&[])
}

/// `one` says that it is as long as numbers go.
async fn size(probe: &Probe, home: &DirectoryClient) -> Result<&'static [&'static str], CallError> {
    let one = home.open_file(Creation::Existing, true, "one").await?;
    probe.is("so it says", one.stat().await?.size, u64::MAX);
    probe.is("what is there is read", read(&one, 0, 9).await?, Vec::from(*b"one lies "));
    let far = read(&one, 1 << 50, 9).await;
    probe.is("and nothing where nothing is", far.ok(), Some(Vec::from([0; 9])));
    let added = one.append(b"x").await;
    probe.refuses("more than the longest", added.map(drop), ExceptionCode::InvalidArgument);
    let last = one.write(u64::MAX - 1, b"xyz").await;
    probe.refuses("behind all numbers", last, ExceptionCode::InvalidArgument);
    Ok(&["blocks of it are stored and it says"])
}

/// The block of `one` is behind the end of the disk.
async fn outside(probe: &Probe, home: &DirectoryClient) -> Result<&'static [&'static str], CallError> {
    let one = home.open_file(Creation::Existing, true, "one").await?;
    probe.refuses("a block that there is not", read(&one, 0, 9).await, ExceptionCode::DeviceFault);
    Ok(&["which nobody can have"])
}

/// In `a` there are names that are none.
async fn names(probe: &Probe, home: &DirectoryClient) -> Result<&'static [&'static str], CallError> {
    let odd = home.open_directory(Creation::Existing, true, "a").await?;
    probe.refuses("no names", odd.list("").await.map(drop), ExceptionCode::Malformed);
    probe.is(
        "those that are names are found",
        odd.open_directory(Creation::Existing, true, "b").await.is_ok(),
        true,
    );
    for wrong in ["a/b", ".."] {
        let opened = odd.open_file(Creation::Existing, false, wrong).await;
        probe.refuses("none leads anywhere", opened.map(drop), ExceptionCode::InvalidArgument);
    }
    Ok(&["(Byte)", "(Dots)", "(Encoding)"])
}
