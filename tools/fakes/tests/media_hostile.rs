//! Media that lie: a typed error, bounded work, and what is sound stays readable.

use capos_media::{Damage, Error, Media};
use capos_mutate::Rng;
use fakes::media::{Image, Walk, block_on, exercise, samples};

fn sample(name: &str) -> Image {
    samples().into_iter().find(|(other, _)| *other == name).unwrap().1
}

fn two(image: &Image, at: u64) -> u64 {
    u16::from_le_bytes(image.get(at, 2).try_into().unwrap()).into()
}

/// What follows a cluster of FAT16, in both tables.
fn link(image: &mut Image, cluster: u64, next: u16) {
    let (sector, start, size) = (two(image, 11), two(image, 14), two(image, 22));
    for table in [start, start + size] {
        image.put(table * sector + cluster * 2, &next.to_le_bytes());
    }
}

/// Where the record of that short name is, and the first cluster that it names.
fn record(image: &Image, name: &[u8; 11]) -> (u64, u64) {
    let at = image.places(name)[0];
    (at, two(image, at + 26))
}

/// All but some names are as they were.
fn rest_is_sound(walk: &Walk, image: &str, but: &[&str]) {
    let sound = exercise(&sample(image)).unwrap();
    for (path, bytes) in sound.files.iter().filter(|(path, _)| !but.iter().any(|but| path.starts_with(but))) {
        assert_eq!(walk.files.get(path), Some(bytes), "{path}");
    }
}

#[test]
fn a_chain_that_is_a_loop() {
    let mut image = sample("fat16");
    let (at, first) = record(&image, b"README  TXT");
    link(&mut image, first, first as u16);
    image.put(at + 28, &0x00ff_ffff_u32.to_le_bytes());
    let walk = exercise(&image).unwrap();
    // It claims more clusters than there are: nobody has to walk to know.
    assert!(walk.has(&Damage::Short) && walk.errors.len() == 1, "{:?}", walk.errors);
    rest_is_sound(&walk, "fat16", &["/README.TXT"]);
    image.put(at + 28, &5_000_000_u32.to_le_bytes());
    let walk = exercise(&image).unwrap();
    assert!(walk.has(&Damage::Loop) && walk.errors.len() == 1, "{:?}", walk.errors);
    rest_is_sound(&walk, "fat16", &["/README.TXT"]);
}

#[test]
fn chains_that_end_early_or_lead_nowhere() {
    for (next, damage) in
        [(0xffff, Some(Damage::Short)), (0xfff7, None), (0, None), (1, None), (0xff00, None)]
    {
        let mut image = sample("fat16");
        let (_, first) = record(&image, b"BIG     BIN");
        link(&mut image, first + 2, next);
        let walk = exercise(&image).unwrap();
        let [error] = &walk.errors[..] else { panic!("{next:#x}: {:?}", walk.errors) };
        assert!(
            matches!(error, Error::Damaged(found) if damage.as_ref().is_none_or(|damage| damage == found))
        );
        rest_is_sound(&walk, "fat16", &["/big.bin"]);
        // What is before it is there.
        let media = block_on(Media::open(&image)).unwrap();
        let listing = block_on(media.list(&media.root())).unwrap();
        let file = media.file(listing.find("big.bin").unwrap()).unwrap();
        assert_eq!(block_on(media.read(&file, 0, &mut [0; 512])), Ok(512));
    }
}

#[test]
fn a_first_cluster_that_there_is_not() {
    for first in [0_u16, 1, 0xfff0, 0xffff] {
        let mut image = sample("fat16");
        let (at, _) = record(&image, b"README  TXT");
        image.put(at + 26, &first.to_le_bytes());
        let walk = exercise(&image).unwrap();
        assert_eq!(walk.errors, [Damage::Beyond.into()], "{first:#x}");
        rest_is_sound(&walk, "fat16", &["/README.TXT"]);
    }
}

#[test]
fn chains_that_are_too_long_or_shared_hurt_nobody() {
    let mut image = sample("fat16");
    let (_, big) = record(&image, b"BIG     BIN");
    let (_, first) = record(&image, b"README  TXT");
    link(&mut image, first, big as u16);
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, []);
    rest_is_sound(&walk, "fat16", &[]);
}

#[test]
fn a_directory_whose_chain_is_a_loop() {
    let mut image = sample("fat16");
    let (_, first) = record(&image, b"MANY       ");
    link(&mut image, first, first as u16);
    let walk = exercise(&image).unwrap();
    assert!(
        matches!(walk.errors[..], [Error::Damaged(Damage::Loop | Damage::TooLarge)]),
        "{:?}",
        walk.errors
    );
    rest_is_sound(&walk, "fat16", &["/many/"]);
    // What its one cluster has is served.
    assert!(walk.files.keys().filter(|path| path.starts_with("/many/")).count() > 3);
}

#[test]
fn a_directory_below_itself() {
    for above in [b"DOCS       ", b"DEEPER     "] {
        let mut image = sample("fat16");
        let (_, cluster) = record(&image, above);
        let (at, _) = record(&image, b"DEEPEST    ");
        image.put(at + 26, &(cluster as u16).to_le_bytes());
        let walk = exercise(&image).unwrap();
        assert_eq!(walk.errors, [Damage::Loop.into()]);
        rest_is_sound(&walk, "fat16", &["/docs/deeper/deepest/"]);
    }
    let mut image = sample("iso-joliet");
    let root = image.get(17 * 2048 + 156 + 2, 8);
    let name: Vec<u8> = "deepest".encode_utf16().flat_map(u16::to_be_bytes).collect();
    let at = *image.places(&name).last().unwrap() - 33;
    image.put(at + 2, &root);
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, [Damage::Loop.into()]);
    rest_is_sound(&walk, "iso-joliet", &["/docs/deeper/deepest/"]);
}

#[test]
fn a_medium_that_ends_before_it_says() {
    for (name, _) in samples() {
        let mut image = sample(name);
        let whole = exercise(&image).unwrap();
        let place = image.places(b"0012\0\0\0\0")[0];
        image.truncate(place / 4096 * 4096);
        let walk = exercise(&image).unwrap();
        let lost = |walk: &Walk| walk.files.values().filter(|bytes| bytes.is_none()).count();
        assert!(lost(&walk) > 0 && walk.has(&Damage::Beyond), "{name}");
        assert!(lost(&whole) == 0 && walk.files.len() > lost(&walk));
    }
}

/// Both byte orders.
fn both(number: u32) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes[..4].copy_from_slice(&number.to_le_bytes());
    bytes[4..].copy_from_slice(&number.to_be_bytes());
    bytes
}

#[test]
fn extents_beyond_the_end() {
    let mut image = sample("iso-rock-ridge");
    let at = image.places(b"README.TXT;1")[0] - 33;
    image.put(at + 2, &both(0xffff_ff00));
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, [Damage::Beyond.into()]);
    rest_is_sound(&walk, "iso-rock-ridge", &["/README.TXT"]);
    image.put(at + 2, &both(30));
    image.put(at + 10, &both(u32::MAX));
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, [Damage::Beyond.into()]);
    rest_is_sound(&walk, "iso-rock-ridge", &["/README.TXT"]);
}

#[test]
fn directories_and_tables_larger_than_any() {
    let mut image = sample("iso-rock-ridge");
    let at = image.places(b"MANY")[0] - 33;
    image.put(at + 10, &both(1 << 30));
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, [Damage::TooLarge.into()]);
    rest_is_sound(&walk, "iso-rock-ridge", &["/many/"]);
    // A path table as long as there can be one: nobody needs it.
    let mut image = sample("iso-plain");
    image.truncate(1 << 40);
    image.put(16 * 2048 + 132, &both(u32::MAX));
    let walk = exercise(&image).unwrap();
    assert_eq!(walk.errors, []);
    rest_is_sound(&walk, "iso-plain", &[]);
    assert!(image.read_bytes() < 4 << 20);
    // Where the primary descriptor is not the first its reader looks at it, up to a point.
    let mut image = sample("iso-joliet");
    image.truncate(1 << 40);
    let [primary, mut boot] = [16, 18].map(|sector| image.get(sector * 2048, 2048));
    boot[0] = 0;
    image.put(16 * 2048, &boot);
    image.put(17 * 2048, &primary);
    image.put(17 * 2048 + 132, &both(u32::MAX));
    assert_eq!(exercise(&image).err(), Some(Damage::TooMuch.into()));
}

/// Where the continuation of some record is, as `CE` says: block, offset, length.
fn continuation(image: &Image) -> u64 {
    image.places(b"CE\x1c\x01")[0]
}

#[test]
fn continuations_that_come_again() {
    let mut image = sample("iso-rock-ridge");
    let at = continuation(&image);
    let block = u64::from(u32::from_le_bytes(image.get(at + 4, 4).try_into().unwrap()));
    let offset = u64::from(u32::from_le_bytes(image.get(at + 12, 4).try_into().unwrap()));
    let entry = image.get(at, 28);
    // What it leads to is itself.
    image.put(block * 2048 + offset, &entry);
    // Rock Ridge is not found any more, or something is; it ends.
    assert!(exercise(&image).is_ok());
    let mut image = sample("iso-rock-ridge");
    image.put(at + 20, &both(1 << 20));
    assert_eq!(exercise(&image).err(), Some(Damage::Beyond.into()));
}

#[test]
fn whatever_bytes_say_it_ends_and_nobody_panics() {
    for (name, sound) in samples() {
        let (mut refused, mut hurt, mut whole) = (0, 0, 0);
        for seed in 0..100 {
            let mut rng = Rng::new(seed);
            let mut image = sound.clone();
            let used: Vec<u64> = image.used().collect();
            for _ in 0..1 + rng.below(6) {
                // What says where things are comes first on all of them.
                let among = if rng.below(4) == 0 { used.len() } else { used.len() / 3 };
                let sector = used[rng.below(among as u32) as usize] * 512;
                let bytes = image.get(sector, 512);
                let said: Vec<u64> = (0..512).filter(|at| bytes[*at as usize] != 0).collect();
                let Some(at) = rng.pick(&said).map(|at| sector + at) else { continue };
                let byte = [0, 0xff, 0x80, image.get(at, 1)[0] ^ 1, rng.draw() as u8][rng.below(5) as usize];
                image.put(at, &[byte]);
            }
            match exercise(&image) {
                Err(_) => refused += 1,
                Ok(walk) if walk.errors.is_empty() => whole += 1,
                Ok(_) => hurt += 1,
            }
        }
        assert!(refused + hurt > 0 && whole > 0, "{name}: {refused} refused, {hurt} hurt, {whole} whole");
    }
}
