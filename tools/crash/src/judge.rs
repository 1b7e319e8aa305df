//! Whether a state is what a crash may leave.

use capos_fs::{Creation, Error, Fs, Kind, ObjectId, Stamp, Wrong};
use capos_store::{StoreError, Volume};

use crate::block_on;
use crate::dump::{Dump, dump};
use crate::image::Image;
use crate::run::LIMITS;
use crate::states::State;

/// What is wrong with a state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Bad {
    /// It has no volume.
    Volume(StoreError),
    /// The volume has no files, or an operation failed.
    Files(Error),
    /// Blocks or records do not fit together.
    Unsound(Vec<Wrong>),
    /// What is to be seen is what no operation left that it may be.
    Contents(Dump),
    /// Tidying up changed what is to be seen.
    Tidied(Dump),
}

impl From<Error> for Bad {
    fn from(error: Error) -> Bad {
        Bad::Files(error)
    }
}

impl From<StoreError> for Bad {
    fn from(error: StoreError) -> Bad {
        Bad::Volume(error)
    }
}

/// Mounts a state, checks it, and compares it with what was to be seen after each operation: says after how many it is that, at least.
///
/// # Errors
/// What is wrong.
pub fn judge(state: &State, dumps: &[Dump]) -> Result<usize, Bad> {
    block_on(judge_mounted(state, dumps))
}

async fn judge_mounted(state: &State, dumps: &[Dump]) -> Result<usize, Bad> {
    let (volume, _) = Volume::mount(state.image.clone(), LIMITS).await?;
    let fs = Fs::mount(volume).await?;
    sound(&fs).await?;
    let seen = dump(&fs).await?;
    let may_be = dumps.get(state.operations.clone()).unwrap_or_default();
    let Some(found) = may_be.iter().position(|dump| *dump == seen) else {
        return Err(Bad::Contents(seen));
    };
    fs.tidy().await?;
    // As whoever serves the volume does after a mount.
    fs.tidy_snapshots().await?;
    fs.sync(fs.epoch()).await?;
    sound(&fs).await?;
    let tidied = dump(&fs).await?;
    if tidied != seen {
        return Err(Bad::Tidied(tidied));
    }
    usable(&fs).await?;
    Ok(state.operations.start + found)
}

/// Whether blocks and records fit together.
async fn sound(fs: &Fs<Volume<Image>>) -> Result<(), Bad> {
    let wrong = fs.check().await?;
    if wrong.is_empty() { Ok(()) } else { Err(Bad::Unsound(wrong)) }
}

/// Whether one can go on with it.
async fn usable(fs: &Fs<Volume<Image>>) -> Result<(), Bad> {
    let now = Stamp::default();
    let name = b"made after the crash";
    let made = fs.open(ObjectId::ROOT, name, Kind::File, Creation::Always, now).await?.object;
    match fs.write(made, 0, &[0xaf; 5000], now).await {
        // It may be as full as it was.
        Ok(()) | Err(Error::Volume(StoreError::Full)) => {}
        Err(error) => return Err(error.into()),
    }
    fs.sync(fs.epoch()).await?;
    sound(fs).await
}
