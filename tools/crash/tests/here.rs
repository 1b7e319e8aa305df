//! What is in memory is read without waiting, and is what reading gives.

use capos_fs::{Creation, Fs, Kind, ObjectId, Stamp};
use capos_store::{BLOCK, Limits, Volume};
use crash::{Image, block_on};

const NOW: Stamp = Stamp { ns: 1, source: capos_fs::TimeSource::Host };

fn mount(image: Image) -> Fs<Volume<Image>> {
    let (volume, _) = block_on(Volume::mount(image, Limits::default())).unwrap();
    block_on(Fs::mount(volume)).unwrap()
}

fn here(fs: &Fs<Volume<Image>>, id: ObjectId, offset: u64, length: usize) -> Option<Vec<u8>> {
    fs.read_here(id, offset, length, <[u8]>::to_vec)
}

#[test]
fn what_is_in_memory_is_what_is_read() {
    let image = Image::new(1024);
    block_on(capos_store::format(&image, 1, None)).unwrap();
    let (volume, _) = block_on(Volume::mount(image, Limits::default())).unwrap();
    block_on(Fs::format(&volume, NOW)).unwrap();
    let fs = block_on(Fs::mount(volume)).unwrap();
    let open = |name: &[u8]| {
        block_on(fs.open(ObjectId::ROOT, name, Kind::File, Creation::Missing, NOW)).unwrap().object
    };
    let id = open(b"file");
    let bytes: Vec<u8> = (0..3 * BLOCK + 100).map(|at| (at / 7) as u8).collect();
    block_on(fs.write(id, 0, &bytes, NOW)).unwrap();
    let mut block = [0; BLOCK];
    assert_eq!(block_on(fs.read(id, 0, &mut block)), Ok(BLOCK));
    for (offset, length) in [(0, BLOCK), (5, 100), (BLOCK - 1, 1), (3 * BLOCK, BLOCK), (3 * BLOCK + 50, 4000)]
    {
        let end = bytes.len().min(offset + length);
        assert!(here(&fs, id, offset as u64, length).as_deref() == Some(&bytes[offset..end]), "{offset}");
    }
    for (offset, length) in [(1, BLOCK), (BLOCK - 1, 2), (bytes.len() + 1, 1), (9 * BLOCK, 1)] {
        assert!(here(&fs, id, offset as u64, length).is_none(), "{offset}: two blocks, or none");
    }
    block_on(fs.write(id, 10, b"changed", NOW)).unwrap();
    assert_eq!(here(&fs, id, 10, 7).as_deref(), Some(b"changed".as_slice()));
    let sparse = open(b"sparse");
    block_on(fs.write(sparse, 10 * BLOCK as u64, b"x", NOW)).unwrap();
    assert_eq!(here(&fs, sparse, 0, 10), None, "a hole is in no memory");
    assert_eq!(here(&fs, ObjectId::ROOT, 0, 10), None, "a namespace has no bytes");
    block_on(fs.sync(fs.epoch())).unwrap();
    let fs = mount(fs.into_volume().into_disk());
    assert_eq!(here(&fs, id, 0, 10), None, "nothing was read yet");
    assert_eq!(block_on(fs.read(id, 0, &mut block)), Ok(BLOCK));
    assert!(here(&fs, id, 0, BLOCK).as_deref() == Some(block.as_slice()));
}
