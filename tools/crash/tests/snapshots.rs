//! Snapshots of files on a real volume, and volumes that grow.

use capos_fs::{Creation, Error, Fs, Kind, ObjectId, Stamp, TimeSource};
use capos_store::{Limits, StoreError, Volume};
use crash::{Image, block_on};

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
