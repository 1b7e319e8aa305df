//! Everything that can be read of a medium is, and whatever it says, what was promised is kept.

use super::Image;
use capos_media::{Damage, Directory, Error, Kind, Media};
use std::collections::BTreeMap;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Directories that are looked at.
const DIRECTORIES: usize = 300;
/// Bytes of a file that are read, at its beginning and at its end.
const SOME: u64 = 8192;
/// Bytes that one look reads at most: `capos-media` allows itself 64 MiB, and what was begun is brought to its end.
const LOOK: u64 = 72 << 20;
/// Bytes after which there is no more to learn.
const ENOUGH: u64 = 128 << 20;

/// What was found.
#[derive(Default)]
pub struct Walk {
    /// Bytes of files that could be read whole, by their paths; others have none.
    pub files: BTreeMap<String, Option<Vec<u8>>>,
    /// How many directories could be looked at.
    pub directories: usize,
    /// What was wrong.
    pub errors: Vec<Error>,
}

/// Runs a future; an image has nobody wait.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("an image has nobody wait"),
    }
}

/// Reads everything, up to a point.
///
/// # Panics
/// When something is not as it was promised.
pub fn exercise(image: &Image) -> Result<Walk, Error> {
    let media = bounded(image, || block_on(Media::open(image)))?;
    let mut walk = Walk::default();
    let mut left = vec![(String::new(), media.root())];
    while let Some((path, directory)) = left.pop() {
        if walk.directories == DIRECTORIES || image.read_bytes() > ENOUGH {
            break;
        }
        look(image, &media, (&path, &directory), &mut walk, &mut left);
    }
    Ok(walk)
}

/// One look reads only so much.
fn bounded<T>(image: &Image, look: impl FnOnce() -> T) -> T {
    let before = image.read_bytes();
    let done = look();
    let read = image.read_bytes() - before;
    assert!(read <= LOOK, "{read} bytes for one look");
    done
}

fn look(
    image: &Image,
    media: &Media<&Image>,
    (path, directory): (&str, &Rc<Directory>),
    walk: &mut Walk,
    left: &mut Vec<(String, Rc<Directory>)>,
) {
    let listing = match bounded(image, || block_on(media.list(directory))) {
        Ok(listing) => listing,
        Err(error) => return walk.errors.push(error),
    };
    walk.directories += 1;
    walk.errors.extend(listing.damage().cloned());
    assert!(listing.after("").is_sorted_by(|one, next| one.name < next.name));
    for entry in listing.after("") {
        let name = &entry.name;
        assert!(
            (1..=255).contains(&name.len()) && !name.contains(['/', '\0']) && name != "." && name != ".."
        );
        assert_eq!(listing.find(name).map(|found| found.object), Ok(entry.object));
        let path = format!("{path}/{name}");
        if entry.kind == Kind::File {
            assert!(media.directory(directory, entry).is_err_and(|error| error == Error::Kind));
            let file = media.file(entry).expect("it is a file");
            let read = bounded(image, || read(media, &file));
            let bytes = read.inspect_err(|error| walk.errors.push(error.clone())).ok();
            walk.files.insert(path, bytes);
        } else {
            assert!(media.file(entry).is_err());
            match media.directory(directory, entry) {
                Ok(directory) => left.push((path, directory)),
                Err(error) => walk.errors.push(error),
            }
        }
        if image.read_bytes() > ENOUGH {
            break;
        }
    }
}

/// All of a small file; of others the beginning, and the end is only looked at.
fn read(media: &Media<&Image>, file: &capos_media::File) -> Result<Vec<u8>, Error> {
    if file.size > 16 * SOME {
        let mut end = vec![0; SOME as usize];
        let count = block_on(media.read(file, file.size - 100, &mut end))?;
        assert_eq!(count, 100);
    }
    let mut bytes = vec![0xee; file.size.min(16 * SOME) as usize + 1];
    let count = block_on(media.read(file, 0, &mut bytes))?;
    assert_eq!(count as u64, file.size.min(bytes.len() as u64));
    bytes.truncate(count);
    // In pieces that fit nothing it is the same.
    let mut again = Vec::new();
    while again.len() < bytes.len().min(20_000) {
        let mut piece = [0; 777];
        let count = block_on(media.read(file, again.len() as u64, &mut piece))?;
        assert!(count > 0);
        again.extend(&piece[..count]);
    }
    assert!(bytes.starts_with(&again) || again.starts_with(&bytes));
    assert_eq!(block_on(media.read(file, file.size, &mut [0; 8])), Ok(0));
    assert_eq!(block_on(media.read(file, u64::MAX, &mut [0; 8])), Ok(0));
    Ok(bytes)
}

impl Walk {
    /// Whether that was wrong with something.
    pub fn has(&self, damage: &Damage) -> bool {
        self.errors.contains(&Error::Damaged(damage.clone()))
    }
}
