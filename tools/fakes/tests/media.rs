//! What mkfs.fat, mtools, xorriso and genisoimage wrote is read as it was written (capos-lib/media/fixtures/make).

use capos_media::{Error, Format, Media};
use fakes::media::{Image, block_on, exercise, samples};

/// 2026-11-22 12:34:56 UTC.
const WHEN: u64 = 1_795_350_896_000_000_000;

fn sample(name: &str) -> Image {
    samples().into_iter().find(|(other, _)| *other == name).unwrap().1
}

/// Bytes of `big.bin`.
fn big() -> Vec<u8> {
    let mut bytes = vec![0; 100_000];
    for (number, page) in bytes.chunks_mut(4096).enumerate() {
        page[..4].copy_from_slice(format!("{number:04}").as_bytes());
    }
    bytes
}

/// The names of an image, after what its own name says of it.
struct Names {
    readme: &'static str,
    long: &'static str,
    deep: &'static str,
    big: &'static str,
    empty: &'static str,
    many: fn(usize) -> String,
}

const REAL: Names = Names {
    readme: "/README.TXT",
    long: "/A long name, with spaces and Grüße.txt",
    deep: "/docs/deeper/deepest/file.bin",
    big: "/big.bin",
    empty: "/empty",
    many: |number| format!("/many/file-{number:03}.dat"),
};

fn expect(name: &str, format: Format, names: &Names, further: usize) {
    let image = sample(name);
    assert_eq!(block_on(Media::open(&image)).unwrap().format(), format);
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, [], "{name}");
    let bytes = |path: &str| {
        walk.files.get(path).unwrap_or_else(|| panic!("{name}: {path} in {:?}", walk.files.keys()))
    };
    assert_eq!(bytes(names.readme).as_deref(), Some(b"hello, capOS\n".as_slice()));
    assert_eq!(bytes(names.long).as_deref(), Some(b"long\n".as_slice()));
    assert_eq!(bytes(names.deep).as_deref(), Some(b"deep\n".as_slice()));
    assert_eq!(bytes(names.big), &Some(big()));
    assert_eq!(bytes(names.empty).as_deref(), Some(b"".as_slice()));
    for number in 0..100 {
        assert_eq!(bytes(&(names.many)(number)).as_deref(), Some(format!("{number:03}").as_bytes()));
    }
    assert_eq!(walk.files.len(), 105 + further, "{name}: {:?}", walk.files.keys());
}

#[test]
fn fat_of_all_sizes() {
    expect("fat12", Format::Fat12, &REAL, 0);
    expect("fat16", Format::Fat16, &REAL, 0);
    expect("fat32", Format::Fat32, &REAL, 0);
    expect("fat32-4k", Format::Fat32, &REAL, 0);
}

#[test]
fn iso_9660_with_names_of_rock_ridge_and_joliet() {
    expect("iso-rock-ridge", Format::RockRidge, &REAL, 2);
    // Rock Ridge says more, where both are.
    expect("iso-relocated", Format::RockRidge, &REAL, 2);
    expect("iso-joliet", Format::Joliet, &REAL, 0);
}

#[test]
fn iso_9660_with_names_of_its_own() {
    let names = Names {
        readme: "/README.TXT",
        long: "/A_LONG_N.TXT",
        deep: "/DOCS/DEEPER/DEEPEST/FILE.BIN",
        big: "/BIG.BIN",
        empty: "/EMPTY",
        many: |number| format!("/MANY/FILE_{number:03}.DAT"),
    };
    expect("iso-plain", Format::Iso, &names, 0);
}

#[test]
fn rock_ridge_has_long_names_and_deep_folders_and_no_links() {
    for name in ["iso-rock-ridge", "iso-relocated"] {
        let walk = exercise(&sample(name)).unwrap();
        let long = format!("/{}", "n".repeat(230));
        assert_eq!(walk.files[&long].as_deref(), Some(b"hello, capOS\n".as_slice()), "{name}");
        let bottom = "/1/2/3/4/5/6/7/8/9/10/bottom";
        assert_eq!(walk.files[bottom].as_deref(), Some(b"bottom\n".as_slice()), "{name}");
        assert!(!walk.files.contains_key("/link"));
    }
}

#[test]
fn times_are_those_of_the_files() {
    for (name, image) in samples() {
        let media = block_on(Media::open(&image)).unwrap();
        let listing = block_on(media.list(&media.root())).unwrap();
        assert_eq!(listing.find("README.TXT").unwrap().modified, Some(WHEN), "{name}");
    }
}

#[test]
fn what_is_neither_is_unknown() {
    for bytes in [0, 511, 4095, 4096, 1 << 20] {
        assert_eq!(exercise(&Image::blank(bytes)).err(), Some(Error::Unknown));
    }
    // A boot sector of something else: that of a disk with partitions.
    let mut disk = Image::blank(1 << 20);
    disk.put(0, &[0xeb, 0x63, 0x90]);
    disk.put(510, &[0x55, 0xaa]);
    assert_eq!(exercise(&disk).err(), Some(Error::Unknown));
}

#[test]
fn what_can_not_be_read_hides_nothing_else() {
    for name in ["fat16", "iso-rock-ridge"] {
        let mut image = sample(name);
        let place = image.places(b"0007\0\0\0\0")[0];
        image.unreadable.push(place / 512);
        let walk = exercise(&image).unwrap();
        assert_eq!(walk.files["/big.bin"], None);
        assert!(walk.errors.iter().all(|error| matches!(error, Error::Source(_))));
        assert_eq!(walk.files.values().filter(|bytes| bytes.is_none()).count(), 1, "{name}");
        // And it is asked for again.
        let media = block_on(Media::open(&image)).unwrap();
        let listing = block_on(media.list(&media.root())).unwrap();
        let file = media.file(listing.find("big.bin").unwrap()).unwrap();
        let mut bytes = [0; 4];
        assert_eq!(block_on(media.read(&file, 8 * 4096, &mut bytes)), Ok(4));
        assert_eq!(&bytes, b"0008");
    }
}
