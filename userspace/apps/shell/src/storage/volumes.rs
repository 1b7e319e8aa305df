//! How much room there is, and what was kept.

use super::mounts::{GIVEN, Mount};
use super::path::shown;
use super::{disks, refused};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use capos_text::{Align, Table, size, timestamp};
use rt::ExceptionCode;
use rt::generated::VolumeClient;
use rt::schema::file::TimeSource;

/// `df`.
pub async fn space(session: &Session) -> Result<String, Trouble> {
    let columns =
        [("VOLUME", Align::Left), ("SIZE", Align::Right), ("USED", Align::Right), ("FREE", Align::Right)];
    let more = [("SNAPSHOTS", Align::Right), ("OBJECTS", Align::Right)];
    let mut table = Table::new(&[columns.as_slice(), more.as_slice()].concat());
    for mount in session.mounts.all() {
        let Some(volume) = &mount.volume else { continue };
        if mount.name == GIVEN {
            disks::volume(session).await?;
        }
        let space = volume.space().await.map_err(refused(&mount.name))?;
        let bytes = |blocks: u64| size(blocks.saturating_mul(space.block_size.into()));
        let used = space.blocks.saturating_sub(space.free);
        table.row([
            mount.name.clone(),
            bytes(space.blocks),
            bytes(used),
            bytes(space.free),
            bytes(space.held),
            format!("{}", space.objects),
        ]);
    }
    Ok(table.render())
}

/// `snap [VOLUME:] [NAME | -d NAME]`.
pub async fn snapshots(session: &Session, words: &[String]) -> Result<String, Trouble> {
    let (name, words) = match words.split_first() {
        Some((word, rest)) if word.ends_with(':') => (word.trim_end_matches(':'), rest),
        _ => (GIVEN, words),
    };
    let mount = session.mounts.find(name);
    let mount = mount.ok_or_else(|| Trouble::Say(format!("nothing is mounted as `{name}`")))?;
    if name == GIVEN {
        disks::volume(session).await?;
    }
    let volume = of(&mount)?;
    match words {
        [] => list(volume).await,
        [flag, name] if flag == "-d" => {
            let removed = volume.remove_snapshot(name).await;
            removed.map_err(|error| match error.exception() {
                Some(ExceptionCode::WrongState) => Trouble::say("somebody looks at it"),
                _ => refused(name)(error),
            })?;
            volume.sync().await.map_err(refused(name))?;
            Ok(String::new())
        }
        [name] if !name.starts_with('-') => {
            volume.snapshot(name).await.map_err(refused(name))?;
            Ok(format!("{0} is kept: ls {1}@{0}:\n", shown(name), mount.name))
        }
        _ => Err(Trouble::Usage("snap [VOLUME:] [NAME | -d NAME]")),
    }
}

fn of(mount: &Rc<Mount>) -> Result<&VolumeClient, Trouble> {
    let volume = mount.volume.as_deref();
    volume.ok_or_else(|| Trouble::Say(format!("`{}` keeps no snapshots", mount.name)))
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
