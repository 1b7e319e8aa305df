//! A block of a file that the disk spoiled: what overwrites all of it heals it, what needs some of it says which one it is.

use capos_fs::{Creation, Error, Fs, Kind, ObjectId, Stamp, TimeSource};
use capos_store::{BLOCK, Fault, Limits, StoreError, Volume};
use crash::{Image, block_on};

const NOW: Stamp = Stamp { ns: 1, source: TimeSource::Host };

fn mount(image: Image) -> Fs<Volume<Image>> {
    let (volume, _) = block_on(Volume::mount(image, Limits::default())).unwrap();
    block_on(Fs::mount(volume)).unwrap()
}

/// A file of three blocks, of which the one in the middle is spoiled: which one on the disk.
fn spoiled() -> (Fs<Volume<Image>>, ObjectId, u64) {
    let image = Image::new(1024);
    block_on(capos_store::format(&image, 1, None)).unwrap();
    let (volume, _) = block_on(Volume::mount(image, Limits::default())).unwrap();
    block_on(Fs::format(&volume, NOW)).unwrap();
    let fs = block_on(Fs::mount(volume)).unwrap();
    let id = block_on(fs.open(ObjectId::ROOT, b"file", Kind::File, Creation::Missing, NOW)).unwrap().object;
    let bytes: Vec<u8> = [[1; BLOCK], [2; BLOCK], [3; BLOCK]].concat();
    block_on(fs.write(id, 0, &bytes, NOW)).unwrap();
    // The second time the commit is settled: it is not passed over.
    block_on(fs.sync(fs.epoch())).unwrap();
    block_on(fs.sync(fs.epoch())).unwrap();
    let image = fs.into_volume().into_disk();
    let block = (0..1024).find(|block| image.block(*block).unwrap()[..] == [2; BLOCK]).unwrap();
    let mut bytes = *image.block(block).unwrap();
    bytes[77] = 0;
    image.set(block, bytes.into());
    (mount(image), id, block)
}

fn read(fs: &Fs<Volume<Image>>, id: ObjectId) -> Result<Vec<u8>, Error> {
    let mut bytes = vec![0; 3 * BLOCK];
    block_on(fs.read(id, 0, &mut bytes)).map(|_| bytes)
}

#[test]
fn what_needs_a_part_of_a_spoiled_block_says_which_one_it_is() {
    let (fs, id, block) = spoiled();
    let error = Error::Volume(StoreError::Corrupt { block, fault: Fault::Checksum });
    assert_eq!(read(&fs, id), Err(error));
    assert_eq!(block_on(fs.write(id, BLOCK as u64 + 5, b"part", NOW)), Err(error));
    // It begins in a sound block, and happens as a whole or not at all.
    assert_eq!(block_on(fs.write(id, BLOCK as u64 - 5, &[9; 10], NOW)), Err(error));
    let mut first = [0; BLOCK];
    assert_eq!(block_on(fs.read(id, 0, &mut first)), Ok(BLOCK));
    assert!(first == [1; BLOCK]);
    block_on(fs.write(id, 0, b"beside it", NOW)).unwrap();
    assert_eq!(read(&fs, id), Err(error));
}

#[test]
fn what_overwrites_all_of_a_spoiled_block_heals_it() {
    for around in [0, 10] {
        let (fs, id, _) = spoiled();
        let data = vec![7; BLOCK + 2 * around];
        block_on(fs.write(id, (BLOCK - around) as u64, &data, NOW)).unwrap();
        let expected = [vec![1; BLOCK - around], data, vec![3; BLOCK - around]].concat();
        assert!(read(&fs, id) == Ok(expected));
        assert_eq!(block_on(fs.check()).unwrap(), []);
        let fs = mount(fs.into_volume().into_disk());
        assert!(read(&fs, id).is_ok());
    }
}
