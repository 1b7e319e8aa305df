//! Snapshots of files on a real volume, and volumes that grow.

use capos_fs::{Creation, Error, Fs, Kind, ObjectId, Stamp, TimeSource};
use capos_store::{Disk, DiskError, Limits, StoreError, Volume};
use crash::{Image, block_on};
use std::cell::Cell;

const NOW: Stamp = Stamp { ns: 1, source: TimeSource::Host };
const ROOT: ObjectId = ObjectId::ROOT;

fn fresh(blocks: usize, used: u64) -> Fs<Volume<Image>> {
    let image = Image::new(blocks);
    block_on(capos_store::format(&image, 1, Some(used))).unwrap();
    mount(image, true)
}

fn mount(image: Image, is_new: bool) -> Fs<Volume<Image>> {
    let (volume, _) = block_on(Volume::mount(image, Limits::default())).unwrap();
    if is_new {
        block_on(Fs::format(&volume, NOW)).unwrap();
    }
    block_on(Fs::mount(volume)).unwrap()
}

fn write(fs: &Fs<Volume<Image>>, name: &str, byte: u8, length: usize) -> Result<ObjectId, Error> {
    let id = block_on(fs.open(ROOT, name.as_bytes(), Kind::File, Creation::Missing, NOW))?.object;
    block_on(fs.release(id));
    block_on(fs.write(id, 0, &vec![byte; length], NOW))?;
    Ok(id)
}

fn sound(fs: &Fs<Volume<Image>>) {
    assert_eq!(block_on(fs.check()).unwrap(), []);
}

#[test]
fn a_snapshot_is_what_was() {
    let fs = fresh(512, 512);
    let id = write(&fs, "f", 1, 300_000).unwrap();
    let (blob, hash) = block_on(fs.put_blob(b"blob", NOW)).unwrap();
    block_on(fs.release(blob));
    sound(&fs);
    let number = block_on(fs.snapshot(b"before")).unwrap();
    write(&fs, "f", 2, 300_000).unwrap();
    block_on(fs.remove(ROOT, b"f", NOW)).unwrap();
    write(&fs, "g", 3, 100).unwrap();
    assert_eq!(block_on(fs.collect()).unwrap().blobs, 1);
    sound(&fs);
    let fs = mount(fs.into_volume().into_disk(), false);
    let snapshot = fs.open_snapshot(number).unwrap();
    assert_eq!(block_on(snapshot.lookup(ROOT, b"f")).unwrap().object, id);
    assert_eq!(block_on(snapshot.lookup(ROOT, b"g")), Err(Error::NotFound));
    assert_eq!(block_on(snapshot.list(ROOT, b"", 9)).unwrap().entries.len(), 1);
    let mut data = vec![0; 300_001];
    assert_eq!(block_on(snapshot.read(id, 0, &mut data)), Ok(300_000));
    assert!(data[..300_000].iter().all(|byte| *byte == 1));
    let kept = block_on(snapshot.blob(&hash)).unwrap();
    assert_eq!(block_on(snapshot.stat(kept)).unwrap().size, 4);
    let held = fs.volume().space().free;
    block_on(fs.delete_snapshot(number)).unwrap();
    assert!(matches!(fs.open_snapshot(number), Err(Error::Volume(StoreError::NoSnapshot))));
    assert!(fs.volume().space().free > held + 70);
    sound(&fs);
}

#[test]
fn a_volume_takes_what_its_disk_has_become_larger_by() {
    let fs = fresh(1024, 256);
    let full = Err(Error::Volume(StoreError::Full));
    assert_eq!(write(&fs, "large", 1, 1 << 20), full);
    block_on(fs.grow()).unwrap();
    write(&fs, "large", 1, 2 << 20).unwrap();
    sound(&fs);
    let fs = mount(fs.into_volume().into_disk(), false);
    assert_eq!(block_on(fs.lookup(ROOT, b"large")).unwrap().kind, Kind::File);
}

#[test]
fn a_full_volume_can_be_emptied() {
    let fs = fresh(256, 256);
    let mut count = 0;
    while write(&fs, &format!("{count}"), 1, 20_000).is_ok() {
        count += 1;
    }
    assert!(count > 20);
    sound(&fs);
    for number in 0..=count {
        let removed = block_on(fs.remove(ROOT, format!("{number}").as_bytes(), NOW));
        assert!(removed.is_ok() || number == count, "{number}: {removed:?}");
    }
    sound(&fs);
    write(&fs, "again", 1, 400_000).unwrap();
    sound(&fs);
}

#[test]
fn a_name_is_of_one_snapshot() {
    let fs = fresh(512, 512);
    let first = block_on(fs.keep("a", NOW)).unwrap();
    assert_eq!(block_on(fs.keep("a", NOW)), Err(Error::Exists));
    let second = block_on(fs.keep("b", NOW)).unwrap();
    let names: Vec<_> =
        fs.snapshots().into_iter().map(|(number, note)| (number, note.name, note.at)).collect();
    assert_eq!(names, [(first, "a".into(), NOW), (second, "b".into(), NOW)]);
    for name in ["", &"x".repeat(247)] {
        assert!(matches!(block_on(fs.keep(name, NOW)), Err(Error::Name(_))), "{name}");
    }
    assert!(block_on(fs.keep(&"x".repeat(246), NOW)).is_ok());
    block_on(fs.delete_snapshot(first)).unwrap();
    assert_eq!((fs.named("a"), fs.named("b")), (None, Some(second)));
}

/// A disk that loses its power after so many writes.
struct Short(Image, Cell<u32>);

impl Disk for Short {
    fn blocks(&self) -> u64 {
        self.0.blocks()
    }

    async fn read(&self, first: u64, into: &mut [u8]) -> Result<(), DiskError> {
        self.0.read(first, into).await
    }

    async fn write(&self, first: u64, data: &[&[u8]]) -> Result<(), DiskError> {
        let left = self.1.get().checked_sub(1).ok_or(DiskError::Gone)?;
        self.1.set(left);
        self.0.write(first, data).await
    }

    async fn flush(&self) -> Result<(), DiskError> {
        Ok(())
    }

    async fn discard(&self, _: u64, _: u64) -> Result<(), DiskError> {
        Ok(())
    }
}

#[test]
fn deletions_that_were_interrupted_are_ended() {
    let fs = fresh(2048, 2048);
    let number = block_on(fs.keep("a", NOW)).unwrap();
    write(&fs, "f", 1, 1_000_000).unwrap();
    block_on(fs.sync(fs.epoch())).unwrap();
    let image = fs.into_volume().into_disk();
    let mut interrupted = 0;
    for writes in 1.. {
        let disk = Short(image.clone(), Cell::new(writes));
        let (volume, _) = block_on(Volume::mount(disk, Limits::default())).unwrap();
        let fs = block_on(Fs::mount(volume)).unwrap();
        let done = block_on(fs.delete_snapshot(number)).is_ok();
        let fs = mount(fs.into_volume().into_disk().0, false);
        interrupted += u32::from(fs.volume().snapshots().iter().any(|snapshot| snapshot.deleting));
        block_on(fs.tidy_snapshots()).unwrap();
        let is_left = |snapshot: &capos_store::Snapshot| snapshot.deleting;
        assert!(!fs.volume().snapshots().iter().any(is_left), "after {writes} writes");
        sound(&fs);
        if done {
            break;
        }
    }
    assert!(interrupted > 0);
}
