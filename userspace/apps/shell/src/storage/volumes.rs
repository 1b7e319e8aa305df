//! How much room there is, and what was kept.

use super::mounts::{GIVEN, Mount};
use super::options::options;
use super::path::{decode, shown};
use super::{disks, refused};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Align, Table, size, timestamp};
use rt::ExceptionCode;
use rt::generated::{StoreClient, VolumeClient};
use rt::schema::file::TimeSource;

/// `df`.
pub async fn space(session: &Session) -> Result<String, Trouble> {
    let columns =
        [("VOLUME", Align::Left), ("SIZE", Align::Right), ("USED", Align::Right), ("FREE", Align::Right)];
    let more = [("SNAPSHOTS", Align::Right), ("OBJECTS", Align::Right)];
    let mut table = Table::new(&[columns.as_slice(), more.as_slice()].concat());
    let (mut are_some, mut troubles) = (false, Vec::new());
    for mount in session.mounts.all() {
        let Some(volume) = &mount.volume else { continue };
        match space_of(session, &mount.name, volume).await {
            Ok(row) => {
                table.row(row);
                are_some = true;
            }
            Err(trouble) => troubles.push((mount, trouble)),
        }
    }
    if !are_some && let Some((_, trouble)) = troubles.pop() {
        return Err(trouble);
    }
    let troubles = troubles.iter().map(|(mount, trouble)| format!("{}: {trouble}\n", mount.name));
    Ok(troubles.fold(table.render(), |text, trouble| text + &trouble))
}

async fn space_of(session: &Session, name: &str, volume: &VolumeClient) -> Result<[String; 6], Trouble> {
    if name == GIVEN {
        disks::volume(session).await?;
    }
    let space = volume.space().await.map_err(refused(name))?;
    let bytes = |blocks: u64| size(blocks.saturating_mul(space.block_size.into()));
    let used = space.blocks.saturating_sub(space.free);
    let [all, used, free, held] = [space.blocks, used, space.free, space.held].map(bytes);
    Ok([String::from(name), all, used, free, held, format!("{}", space.objects)])
}

/// `grow [VOLUME:]`: a volume gets all of its disk, or partition, which became larger.
pub async fn grow(session: &Session, word: &str) -> Result<String, Trouble> {
    let (mount, _) = named(session, word).await?;
    let volume = of(&mount)?;
    let about = || refused(&mount.name);
    let before = volume.space().await.map_err(about())?;
    volume.grow().await.map_err(about())?;
    let after = volume.space().await.map_err(about())?;
    let bytes = |blocks: u64| size(blocks.saturating_mul(after.block_size.into()));
    let (name, now) = (&mount.name, bytes(after.blocks));
    Ok(match after.blocks > before.blocks {
        true => format!("{name} has {now}, and had {}\n", bytes(before.blocks)),
        false => format!("{name} has all of its disk already: {now}\n"),
    })
}

/// `collect`: blobs that nobody holds and nothing names give their room back.
pub async fn collect(session: &Session) -> Result<String, Trouble> {
    let store = session.held.client::<StoreClient>("store")?;
    let dropped = store.collect().await.map_err(refused("store"))?;
    Ok(match dropped.blobs {
        0 => String::from("no blob is there that nothing names\n"),
        1 => format!("1 blob is dropped, {}\n", size(dropped.bytes)),
        blobs => format!("{blobs} blobs are dropped, {}\n", size(dropped.bytes)),
    })
}

/// What `VOLUME:` stands for, and whether a word does.
async fn named(session: &Session, word: &str) -> Result<(Rc<Mount>, bool), Trouble> {
    let (name, is_named) = word.strip_suffix(':').map_or((GIVEN, false), |name| (name, true));
    let mount = session.mounts.find(name);
    let mount = mount.ok_or_else(|| Trouble::Say(format!("nothing is mounted as {}", shown(name))))?;
    if name == GIVEN {
        disks::volume(session).await?;
    }
    Ok((mount, is_named))
}

/// `snap [VOLUME:] [NAME | -d NAME]`.
pub async fn snapshots(session: &Session, words: &[String]) -> Result<String, Trouble> {
    let (mount, is_named) = named(session, words.first().map_or("", String::as_str)).await?;
    let words = words.get(usize::from(is_named)..).unwrap_or_default();
    let volume = of(&mount)?;
    let decode = |name: &str| {
        decode(name).ok_or_else(|| Trouble::Say(format!("`{name}`: `\\u{{...}}` is a character's number")))
    };
    let (letters, names) = options("snap", "d", words)?;
    match (letters.as_str(), names) {
        ("", []) => list(volume).await,
        ("d", [name]) => {
            let name = &decode(name)?;
            let removed = volume.remove_snapshot(name).await;
            removed.map_err(|error| match error.exception() {
                Some(ExceptionCode::WrongState) => Trouble::say("somebody looks at it"),
                _ => refused(name)(error),
            })?;
            volume.sync().await.map_err(refused(name))?;
            Ok(String::new())
        }
        ("", [name]) => {
            let name = &decode(name)?;
            volume.snapshot(name).await.map_err(|error| match error.exception() {
                Some(ExceptionCode::InvalidArgument) => Trouble::Say(format!(
                    "{} can not be a snapshot's name, which is always of all the volume: 1 to 246 bytes, no `/`, not `.` or `..`",
                    shown(name)
                )),
                _ => refused(name)(error),
            })?;
            Ok(format!("{0} is kept: ls {1}@{0}:\n", shown(name), mount.name))
        }
        _ => Err(Trouble::Usage("snap [VOLUME:] [NAME | -d NAME]")),
    }
}

fn of(mount: &Rc<Mount>) -> Result<&VolumeClient, Trouble> {
    let volume = mount.volume.as_deref();
    volume.ok_or_else(|| Trouble::Say(format!("`{}` is no volume of capOS: it can only be read", mount.name)))
}

async fn list(volume: &VolumeClient) -> Result<String, Trouble> {
    let mut table = Table::new(&[("KEPT", Align::Left), ("COMMIT", Align::Right), ("NAME", Align::Left)]);
    let (mut after, mut is_empty) = (String::new(), true);
    loop {
        match volume.list_snapshots(&after).await {
            Ok(found) if found.name > after => {
                let is_dated = found.at != TimeSource::Unknown;
                let time = if is_dated { timestamp(found.at_ns) } else { String::from("-") };
                table.row([time, format!("{}", found.commit), shown(&found.name)]);
                (after, is_empty) = (found.name, false);
            }
            Ok(_) => break,
            Err(error) if error.exception() == Some(ExceptionCode::NotFound) => break,
            Err(error) => return Err(refused("snapshots")(error)),
        }
    }
    if is_empty {
        Ok(String::from("no snapshots; `snap NAME` keeps what is there now\n"))
    } else {
        Ok(table.render())
    }
}
