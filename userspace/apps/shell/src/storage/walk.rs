//! From a place along names.

use super::mounts::GIVEN;
use super::path::{Path, Place, Wrong, shown};
use super::{disks, refused, refused_at};
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use rt::ExceptionCode;
use rt::generated::{
    BlobClient, BootPackageClient, DirectoryClient, FileClient, MemoryObjectClient, StoreClient,
};
use rt::schema::directory::Creation;

/// What a word means. Where there is no volume names are of boot files.
pub async fn path(session: &Session, word: &str) -> Result<Path, Trouble> {
    let mut usual = session.mounts.usual();
    if usual != Place::Boot && disks::volume(session).await.is_err() && session.held.find("boot").is_some() {
        usual = Place::Boot;
    }
    let path = Path::parse(word, &usual, |name| session.mounts.find(name).is_some());
    path.map_err(|wrong| match wrong {
        Wrong::Place(name) => Trouble::Say(format!("there is no place {}; `mount` makes some", shown(&name))),
        Wrong::Name => {
            Trouble::Say(format!("`{word}`: there is no way up, and `\\u{{...}}` is a character's number"))
        }
    })
}

/// The directory that all of a place is.
async fn root(session: &Session, place: &Place) -> Result<DirectoryClient, Trouble> {
    let Place::Volume { name, snapshot } = place else {
        // Names without a place are of boot files where there is no volume.
        disks::volume(session).await?;
        return Err(Trouble::say("boot files and blobs are not in directories"));
    };
    let mount = session.mounts.find(name);
    let mount = mount.ok_or_else(|| Trouble::Say(format!("nothing is mounted as `{name}`")))?;
    if name == GIVEN {
        disks::volume(session).await?;
    }
    let Some(snapshot) = snapshot else {
        return mount.root.directory().await.map_err(refused(name));
    };
    let Some(volume) = &mount.volume else {
        return Err(Trouble::Say(format!("`{name}` is no volume of capOS, and has no snapshots")));
    };
    let opened = volume.open_snapshot(snapshot).await.map_err(refused(snapshot))?;
    opened.namespace.directory().await.map_err(refused(snapshot))
}

/// The directory at a path.
pub async fn directory(session: &Session, path: &Path, writable: bool) -> Result<DirectoryClient, Trouble> {
    let mut directory = root(session, &path.place).await?;
    for (above, name) in path.names.iter().enumerate() {
        let below = directory.open_directory(Creation::Existing, writable, name).await;
        let path = || path.first(above + 1);
        directory = below.map_err(|error| match error.exception() {
            Some(ExceptionCode::WrongState) => Trouble::Say(format!("{} is no directory", path())),
            _ => refused_at(&path())(error),
        })?;
    }
    Ok(directory)
}

/// The directory that the last name is in, and that name.
pub async fn parent<'p>(
    session: &Session,
    path: &'p Path,
    writable: bool,
) -> Result<(DirectoryClient, &'p str), Trouble> {
    let Some((last, names)) = path.names.split_last() else {
        return Err(Trouble::say("that is all of a place, and not a name in it"));
    };
    Ok((directory(session, &path.first(names.len()), writable).await?, last))
}

/// Bytes that can be read.
pub enum Source {
    Boot(MemoryObjectClient, u64),
    File(FileClient, u64),
    Blob(BlobClient, u64),
}

impl Source {
    /// How many.
    pub fn size(&self) -> u64 {
        match self {
            Source::Boot(_, size) | Source::File(_, size) | Source::Blob(_, size) => *size,
        }
    }

    /// Some of them; fewer where they end.
    pub async fn read(&self, offset: u64, most: u32) -> Result<alloc::vec::Vec<u8>, rt::CallError> {
        match self {
            Source::Boot(object, _) => object.read(offset, most).await,
            Source::File(file, _) => file.read(offset, most).await,
            Source::Blob(blob, _) => blob.read(offset, most).await,
        }
    }
}

/// What a path leads to, to be read.
pub async fn source(session: &Session, path: &Path) -> Result<Source, Trouble> {
    match (&path.place, path.names.as_slice()) {
        (Place::Boot, names @ [_, ..]) => boot(session, &names.join("/")).await,
        (Place::Store, [hash]) => blob(session, hash).await,
        (Place::Volume { .. }, [_, ..]) if path.is_directory => {
            // It is no file, or not there.
            directory(session, path, false).await?;
            Err(Trouble::Say(format!("{path} is no file; `ls` shows what is in it")))
        }
        (Place::Volume { .. }, [_, ..]) => {
            let (directory, name) = parent(session, path, false).await?;
            let opened = directory.open_file(Creation::Existing, false, name).await;
            let file = opened.map_err(|error| match error.exception() {
                Some(ExceptionCode::WrongState) => {
                    Trouble::Say(format!("{path} is no file; `ls` shows what is in it"))
                }
                Some(ExceptionCode::NotFound) if session.mounts.usual() == path.place => elsewhere(name),
                _ => refused_at(path)(error),
            })?;
            let size = file.stat().await.map_err(refused_at(path))?.size;
            Ok(Source::File(file, size))
        }
        _ => Err(Trouble::say("that is no file: write one name, as in boot:welcome")),
    }
}

/// A name that is not there where names usually are.
fn elsewhere(name: &str) -> Trouble {
    let name = shown(name);
    Trouble::Say(format!("{name}: there is nothing of that name; a boot file would be boot:{name}"))
}

async fn boot(session: &Session, name: &str) -> Result<Source, Trouble> {
    let boot = session.held.client::<BootPackageClient>("boot")?;
    match boot.open(name).await {
        Ok(file) => Ok(Source::Boot(file.object, file.size)),
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => {
            let shown = shown(name);
            Err(Trouble::Say(format!("no boot file `{shown}`; `ls boot:` lists them")))
        }
        Err(error) => Err(Trouble::Call(String::from(name), error)),
    }
}

async fn blob(session: &Session, hash: &str) -> Result<Source, Trouble> {
    let store = session.held.client::<StoreClient>("store")?;
    disks::volume(session).await?;
    let Some(bytes) = from_hex(hash) else {
        return Err(Trouble::say("a blob's name is its SHA-256, 64 hexadecimal digits"));
    };
    let blob = store.get(&bytes).await.map_err(refused(hash))?;
    let size = blob.info().await.map_err(refused(hash))?.size;
    Ok(Source::Blob(blob, size))
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits: alloc::vec::Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    bytes.iter_mut().zip(pairs).for_each(|(byte, [high, low])| *byte = (high << 4 | low) as u8);
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::from_hex;

    #[test]
    fn hashes_have_64_digits() {
        let hash = "00ff".repeat(16);
        assert_eq!(from_hex(&hash).map(|bytes| (bytes[0], bytes[31])), Some((0, 255)));
        for bad in ["", "00", &hash[1..], &"0g".repeat(32), &"+1".repeat(32)] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }
}
