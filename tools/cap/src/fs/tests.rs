//! Images made, filled, read, spoiled and refused, as by hand.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::disk::Access;
use super::{block_on, carry_out, mount, slots, snapshots};
use crate::command_line::{FsVerb, Image, Lie, When};
use crate::exec::Failure;

const NOW: When = When { snapshot: None };

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("cap-fs-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn image(&self) -> Image {
        Image { image: self.file("disk"), partition: None }
    }

    fn make(&self, size: &str) {
        assert!(
            carry_out(&FsVerb::Mkfs { image: self.image(), size: Some(size.into()), force: false }).unwrap()
        );
    }

    fn put(&self, file: &Path, path: &str) -> Result<bool, String> {
        let verb = FsVerb::Put { image: self.image(), file: file.into(), path: path.into() };
        carry_out(&verb).map_err(|failure| failure.to_string())
    }

    fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        self.get_from(self.image(), None, path)
    }

    fn get_from(&self, image: Image, snapshot: Option<&str>, path: &str) -> Result<Vec<u8>, String> {
        let to = self.file("out");
        let when = When { snapshot: snapshot.map(Into::into) };
        let verb = FsVerb::Get { image, when, path: path.into(), file: Some(to.clone()) };
        carry_out(&verb).map_err(|failure| failure.to_string())?;
        Ok(fs::read(to).unwrap())
    }

    /// Copies a directory to `copy`, which is not there before.
    fn get_tree(&self, path: &str) -> Result<PathBuf, String> {
        let to = self.file("copy");
        let _ = fs::remove_dir_all(&to);
        let verb = FsVerb::Get { image: self.image(), when: NOW, path: path.into(), file: Some(to.clone()) };
        carry_out(&verb).map_err(|failure| failure.to_string()).map(|_| to)
    }

    fn check(&self) -> bool {
        carry_out(&FsVerb::Check { image: self.image() }).unwrap()
    }

    /// What is on the volume that snapshots are told by.
    fn kept(&self, image: &Image) -> Vec<String> {
        let files = mount(image, Access::Read).unwrap_or_else(|_| panic!()).0;
        files.volume().snapshots().iter().map(snapshots::called).collect()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn what_is_put_is_got() {
    let folder = Folder::new("put");
    folder.make("16M");
    let data: Vec<u8> = (0..3_000_000u32).map(|at| (at / 7) as u8).collect();
    fs::create_dir_all(folder.file("tree/below")).unwrap();
    fs::write(folder.file("tree/below/large"), &data).unwrap();
    fs::write(folder.file("tree/empty"), b"").unwrap();
    folder.put(&folder.file("tree"), "copy/of").unwrap();
    assert!(folder.get("copy/of/below/large").unwrap() == data);
    assert_eq!(folder.get("/copy/of/empty"), Ok(vec![]));
    fs::write(folder.file("other"), b"in its place").unwrap();
    folder.put(&folder.file("other"), "copy/of/below/large").unwrap();
    assert_eq!(folder.get("copy/of/below/large").unwrap(), b"in its place");
    for path in ["", "copy", "copy/of/empty"] {
        assert!(carry_out(&FsVerb::Ls { image: folder.image(), when: NOW, path: path.into() }).unwrap());
    }
    assert!(carry_out(&FsVerb::Dump { image: folder.image() }).unwrap());
    assert!(folder.check());
}

#[test]
fn wrong_input_is_answered_in_words() {
    let folder = Folder::new("wrong");
    folder.make("1M");
    fs::write(folder.file("f"), [1; 100]).unwrap();
    let small = folder.file("f");
    assert!(folder.get("a").unwrap_err().contains("a: there is no such name"));
    folder.put(&small, "d/f").unwrap();
    let to_nowhere = FsVerb::Get { image: folder.image(), when: NOW, path: "d".into(), file: None };
    assert!(carry_out(&to_nowhere).unwrap_err().to_string().contains("d is a directory: `ls` shows"));
    for name in ["home/a", "a\0"] {
        assert!(
            snap(folder.image(), name, false).unwrap_err().contains("can not be a snapshot's name"),
            "{name}"
        );
    }
    assert!(folder.get("d/f/g").unwrap_err().contains("another kind"));
    assert!(folder.put(&small, "d").unwrap_err().contains("another kind"));
    assert!(folder.put(&small, "..").unwrap_err().contains("no names"));
    assert!(folder.put(&small, "/").unwrap_err().contains("under which name"));
    fs::write(folder.file("large"), vec![1; 2 << 20]).unwrap();
    assert!(folder.put(&folder.file("large"), "x").unwrap_err().contains("the volume is full"));
    assert!(folder.check() && folder.get(".part of a file that is being put here").is_err());
    let make = |size: Option<&str>| {
        carry_out(&FsVerb::Mkfs { image: folder.image(), size: size.map(Into::into), force: false })
    };
    assert!(make(None).unwrap_err().to_string().contains("--force"));
    assert!(make(Some("1M")).unwrap_err().to_string().contains("without --size"));
    assert!(make(Some("much")).unwrap_err().to_string().contains("not a size"));
    assert!(carry_out(&FsVerb::Mkfs { image: folder.image(), size: None, force: true }).unwrap());
    // Whatever has something on it, a volume or not; and what cannot be made is not left lying about.
    let mkfs = |name: &str, size: Option<&str>, force| {
        let image = Image { image: folder.file(name), partition: None };
        carry_out(&FsVerb::Mkfs { image, size: size.map(Into::into), force })
    };
    let mut other = vec![0; 1 << 20];
    other[0x8001] = b'C';
    fs::write(folder.file("other"), &other).unwrap();
    assert!(mkfs("other", None, false).unwrap_err().to_string().contains("something on it"));
    assert!(mkfs("other", None, true).unwrap());
    assert!(mkfs("tiny", Some("8K"), false).is_err() && !folder.file("tiny").exists());
    assert!(mkfs("missing", None, false).unwrap_err().to_string().contains("--size SIZE makes it"));
    let check = |name: &str| {
        let image = Image { image: folder.file(name), partition: None };
        carry_out(&FsVerb::Check { image }).unwrap_err().to_string()
    };
    assert!(check("f").ends_with("there is no volume"), "{}", check("f"));
    assert!(check("").ends_with("is a directory, not a disk image"), "{}", check(""));
    let no_table = Image { partition: Some("1".into()), ..folder.image() };
    let failure = carry_out(&FsVerb::Check { image: no_table }).unwrap_err().to_string();
    assert!(failure.contains("no table of partitions"), "{failure}");
}

/// As QEMU has the disk of a machine that runs.
#[test]
fn what_is_in_use_is_read_and_not_written() {
    let folder = Folder::new("used");
    folder.make("1M");
    fs::write(folder.file("f"), [1; 100]).unwrap();
    let machine = super::disk::ImageDisk::open(&folder.image(), Access::Write).unwrap();
    assert!(folder.put(&folder.file("f"), "f").unwrap_err().contains("in use"));
    assert!(folder.check());
    drop(machine);
    folder.put(&folder.file("f"), "f").unwrap();
}

#[test]
fn what_is_spoiled_is_found_and_the_rest_is_read() {
    let folder = Folder::new("spoiled");
    folder.make("1M");
    let mark = b"these bytes will be spoiled";
    fs::write(folder.file("one"), mark).unwrap();
    fs::write(folder.file("two"), b"these will not").unwrap();
    folder.put(&folder.file("one"), "one").unwrap();
    folder.put(&folder.file("two"), "two").unwrap();
    assert!(folder.check());
    let image = fs::read(folder.file("disk")).unwrap();
    let at = image.windows(mark.len()).position(|bytes| bytes == mark).unwrap();
    let file = fs::File::options().write(true).open(folder.file("disk")).unwrap();
    file.write_all_at(b"T", at as u64).unwrap();
    assert!(!folder.check());
    assert!(folder.get("one").unwrap_err().contains("corrupt"));
    assert!(!folder.file("out").exists(), "a part of a file is not left for all of it");
    assert_eq!(folder.get("two").unwrap(), b"these will not");
}

/// A folder on the host may have what a volume does not: that is named, and all else is there. What is zeros takes no room.
#[test]
fn links_are_named_and_holes_stay_holes() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new("odd");
    folder.make("4M");
    let home = folder.file("home");
    fs::create_dir_all(home.join("sub")).unwrap();
    symlink("nowhere", home.join("dangling")).unwrap();
    symlink(&home, home.join("sub/ring")).unwrap();
    fs::write(home.join("sub/plain"), b"plain").unwrap();
    // Together they are longer than the volume.
    for name in ["sparse", "other"] {
        let sparse = fs::File::create(home.join(name)).unwrap();
        sparse.set_len(3 << 20).unwrap();
        sparse.write_all_at(b"middle", (2 << 20) + 5).unwrap();
    }
    let why = folder.put(&home, "home").unwrap_err();
    for words in ["home is not all of it", "dangling: it is a link", "ring: it is a link"] {
        assert!(why.contains(words), "{why}");
    }
    assert_eq!(folder.get("home/sub/plain").unwrap(), b"plain");
    let data = folder.get("home/sparse").unwrap();
    assert_eq!((data.len(), &data[(2 << 20) + 5..(2 << 20) + 11]), (3 << 20, b"middle".as_slice()));
    assert!(folder.check());
    folder.put(&home.join("sub"), "top").unwrap_err();
    // What is said to be put is what a link at the top leads to.
    symlink("sub/plain", home.join("first")).unwrap();
    folder.put(&home.join("first"), "first").unwrap();
    assert_eq!(folder.get("first").unwrap(), b"plain");
}

/// One directory that cannot be read hides no other.
#[test]
fn a_dump_goes_on() {
    let folder = Folder::new("dump");
    folder.make("4M");
    // So many names that they are in leaves of their own.
    for name in ["a", "b", "c"] {
        fs::create_dir_all(folder.file("home").join(name)).unwrap();
        for n in 0..60 {
            fs::write(folder.file("home").join(name).join(format!("{n}-{}", name.repeat(200))), b"").unwrap();
        }
    }
    folder.put(&folder.file("home"), "home").unwrap();
    let dump = || carry_out(&FsVerb::Dump { image: folder.image() });
    assert!(dump().unwrap());
    let image = fs::read(folder.file("disk")).unwrap();
    let file = fs::File::options().write(true).open(folder.file("disk")).unwrap();
    let mark = "30-".to_owned() + &"b".repeat(200);
    let places = image.windows(mark.len()).enumerate().filter(|(_, bytes)| *bytes == mark.as_bytes());
    for (at, _) in places {
        file.write_all_at(b"X", at as u64).unwrap();
    }
    assert!(!dump().unwrap(), "it could not be read, and all else was shown");
    assert!(!folder.check());
}

/// What the host can not make leaves nothing behind.
#[test]
fn an_image_that_cannot_be_is_not_left_behind() {
    let folder = Folder::new("giant");
    let made = super::disk::create(&folder.file("disk"), u64::MAX / 2 * 2);
    assert!(made.is_err() && !folder.file("disk").exists());
}

/// A volume, or a table of partitions, whose beginning was wiped is still somebody's.
#[test]
fn what_lost_its_beginning_is_not_taken_for_blank() {
    let folder = Folder::new("beginning");
    let wipe = |length: usize| {
        let file = fs::File::options().write(true).open(folder.file("disk")).unwrap();
        file.write_all_at(&vec![0; length], 0).unwrap();
    };
    let make = || carry_out(&FsVerb::Mkfs { image: folder.image(), size: None, force: false });
    let refused = || make().is_err_and(|why| why.to_string().contains("has something on it already"));
    for size in ["1M", "64M"] {
        folder.make(size);
        fs::write(folder.file("f"), b"a file").unwrap();
        folder.put(&folder.file("f"), "f").unwrap();
        wipe(9 * 4096);
        assert!(refused(), "{size}");
        assert_eq!(folder.get("f").unwrap(), b"a file", "{size}");
        let found = said_of_slots(&folder);
        assert!(matches!(&found[..], [(true, text)] if text.contains("any more")), "{found:?}");
        fs::remove_file(folder.file("disk")).unwrap();
    }
    fs::write(folder.file("disk"), gpt_of_one(vec![0; 1 << 22], 512)).unwrap();
    wipe(1 << 21);
    assert!(refused(), "the second table of partitions");
    wipe(1 << 22);
    assert!(make().is_ok(), "nothing is left");
}

/// What is said of the superblocks: whether it is wrong, and in which words.
fn said_of_slots(folder: &Folder) -> Vec<(bool, String)> {
    let (files, mounted) = mount(&folder.image(), Access::Read).unwrap_or_else(|_| panic!());
    slots::remarks(&files, &mounted).into_iter().map(|remark| (remark.is_wrong, remark.text)).collect()
}

#[test]
fn a_superblock_that_is_spoiled_is_wrong() {
    let folder = Folder::new("superblock");
    for (name, bytes) in [("its record", (100, 7)), ("all of it", (0, 4096))] {
        let _ = fs::remove_file(folder.file("disk"));
        folder.make("1M");
        assert!(said_of_slots(&folder).is_empty() && folder.check());
        let (at, length) = bytes;
        for slot in [0, 255] {
            let whole = fs::read(folder.file("disk")).unwrap();
            let file = fs::File::options().write(true).open(folder.file("disk")).unwrap();
            file.write_all_at(&vec![0xa5; length], slot * 4096 + at).unwrap();
            let found = said_of_slots(&folder);
            assert!(matches!(&found[..], [(true, _)]), "{name} in slot {slot}: {found:?}");
            assert!(!folder.check(), "{name} in slot {slot}");
            file.write_all_at(&whole, 0).unwrap();
        }
    }
}

/// Of a record that is longer than a sector nobody can tell whether power went while it was written.
#[test]
fn what_a_power_cut_leaves_is_told_of_beside_the_verdict() {
    let folder = Folder::new("power-cut");
    folder.make("1M");
    let file = fs::File::options().read(true).write(true).open(folder.file("disk")).unwrap();
    file.write_all_at(&1000u64.to_le_bytes(), 255 * 4096 + 16).unwrap();
    let found = said_of_slots(&folder);
    assert!(matches!(&found[..], [(false, text)] if text.contains("as after a power cut")), "{found:?}");
    assert!(folder.check());
    // Whatever is changed next takes its place.
    fs::write(folder.file("f"), b"a file").unwrap();
    folder.put(&folder.file("f"), "f").unwrap();
    assert!(folder.check() && said_of_slots(&folder).is_empty());
}

#[test]
fn a_volume_may_lie_in_a_partition() {
    for sector in [512, 4096] {
        volume_in_a_partition(sector);
    }
}

fn volume_in_a_partition(sector: u64) {
    let folder = Folder::new(&format!("partition-{sector}"));
    let disk = vec![0; 4 << 20];
    let table = gpt_of_one(disk, sector);
    fs::write(folder.file("disk"), table).unwrap();
    let part = |which: &str| Image { partition: Some(which.into()), ..folder.image() };
    assert!(carry_out(&FsVerb::Mkfs { image: part("1"), size: None, force: false }).unwrap());
    fs::write(folder.file("f"), b"inside").unwrap();
    carry_out(&FsVerb::Put { image: part("files"), file: folder.file("f"), path: "f".into() }).unwrap();
    assert!(carry_out(&FsVerb::Check { image: part("1") }).unwrap());
    assert_eq!(folder.get("f"), Ok(b"inside".into()), "it is the only one");
    folder.put(&folder.file("f"), "g").unwrap();
    keep_and_drop(&folder, || part("files"));
    let failure = carry_out(&FsVerb::Check { image: part("2") }).unwrap_err().to_string();
    assert!(failure.contains("no partition `2`; it has these"), "{failure}");
}

/// A disk with a table of one partition, named `files`.
fn gpt_of_one(bytes: Vec<u8>, sector: u64) -> Vec<u8> {
    let mut disk = std::io::Cursor::new(bytes);
    let sectors = disk.get_ref().len() as u64 / sector;
    let mbr = gpt::mbr::ProtectiveMBR::with_lb_size(u32::try_from(sectors - 1).unwrap());
    mbr.overwrite_lba0(&mut disk).unwrap();
    let size = gpt::disk::LogicalBlockSize::try_from(sector).unwrap();
    let config = gpt::GptConfig::new().writable(true).logical_block_size(size);
    let mut table = config.create_from_device(&mut disk, None).unwrap();
    table.update_partitions(std::collections::BTreeMap::new()).unwrap();
    let kind = gpt::partition_types::LINUX_FS;
    table.add_partition("files", 2 << 20, kind, 0, None).unwrap();
    table.write().unwrap();
    disk.into_inner()
}

#[test]
fn images_of_others_are_looked_at_and_not_written() {
    let folder = Folder::new("media");
    let make = |commands: &str| {
        let done = Command::new("sh").args(["-euc", commands]).current_dir(&folder.0).status();
        assert!(done.is_ok_and(|done| done.success()), "{commands}");
    };
    let tree = "mkdir -p tree/docs; printf hello >'tree/docs/A long name.txt'";
    for commands in [
        "mformat -C -i disk -f 1440 ::; mcopy -i disk -s tree/* ::",
        "xorriso -as mkisofs -quiet -R -o disk tree",
    ] {
        make(&format!("{tree}; rm -f disk; {commands}"));
        assert_eq!(folder.get("docs/A long name.txt"), Ok(b"hello".into()));
        let copy = folder.get_tree("").unwrap();
        assert_eq!(fs::read(copy.join("docs/A long name.txt")).unwrap(), b"hello");
        assert!(folder.get("docs/B").is_err_and(|why| why.contains("no such name")));
        for path in ["", "docs", "docs/A long name.txt"] {
            assert_eq!(
                carry_out(&FsVerb::Ls { image: folder.image(), when: NOW, path: path.into() }).ok(),
                Some(true)
            );
        }
        let before = fs::read(folder.file("disk")).unwrap();
        let refused = folder.put(&folder.file("tree/docs/A long name.txt"), "new");
        assert!(refused.is_err_and(|why| why.ends_with("which is only read: `ls` and `get` do")));
        assert!(fs::read(folder.file("disk")).unwrap() == before);
    }
}

fn snap(image: Image, name: &str, delete: bool) -> Result<bool, String> {
    carry_out(&FsVerb::Snap { image, name: Some(name.into()), delete }).map_err(|failure| failure.to_string())
}

/// Keeps what is there, changes it, looks at both, and drops what was kept. Nothing else is there.
fn keep_and_drop(folder: &Folder, image: impl Fn() -> Image) {
    let put = |data: &[u8]| {
        fs::write(folder.file("f"), data).unwrap();
        let verb = FsVerb::Put { image: image(), file: folder.file("f"), path: "d/f".into() };
        assert!(carry_out(&verb).unwrap());
    };
    let free = || mount(&image(), Access::Read).unwrap_or_else(|_| panic!()).0.volume().space().free;
    let (old, new) = (vec![1; 100_000], vec![2; 50_000]);
    put(&new);
    let before = free();
    put(&old);
    assert_eq!(snap(image(), "first \u{1b}", false), Ok(true));
    put(&new);
    assert_eq!(snap(image(), "second", false), Ok(true));
    let kept = folder.kept(&image());
    assert!(kept[0].ends_with("'first \\u{1b}'") && kept[1].ends_with("  second"), "{kept:?}");
    assert_eq!(kept.len(), 2);
    for name in [None, Some("first \u{1b}"), Some("second")] {
        let data = if name == Some("first \u{1b}") { &old } else { &new };
        assert!(folder.get_from(image(), name, "d/f").unwrap() == *data, "{name:?}");
        let when = When { snapshot: name.map(Into::into) };
        assert!(carry_out(&FsVerb::Ls { image: image(), when, path: "d".into() }).unwrap());
    }
    assert!(snap(image(), "second", false).unwrap_err().contains("the name is taken"));
    assert!(snap(image(), "third", true).unwrap_err().contains("there are: 'first \\u{1b}', second"));
    assert!(snap(image(), &"x".repeat(247), false).unwrap_err().contains("246"));
    assert!(folder.get_from(image(), Some("third"), "d/f").unwrap_err().contains("no snapshot `third`"));
    for verb in [
        FsVerb::Check { image: image() },
        FsVerb::Snap { image: image(), name: None, delete: false },
        FsVerb::Dump { image: image() },
    ] {
        assert!(carry_out(&verb).unwrap());
    }
    assert!(free() + 25 <= before, "what is kept takes room");
    assert_eq!(snap(image(), "first \u{1b}", true), Ok(true));
    assert_eq!(snap(image(), "second", true), Ok(true));
    assert_eq!((folder.kept(&image()), free() + 2 >= before), (vec![], true), "{} {before}", free());
    assert!(carry_out(&FsVerb::Check { image: image() }).unwrap());
    assert!(folder.get_from(image(), None, "d/f").unwrap() == new);
}

#[test]
fn snapshots_are_kept_read_and_dropped() {
    let folder = Folder::new("snapshots");
    folder.make("16M");
    keep_and_drop(&folder, || folder.image());
}

#[test]
fn what_is_spoiled_of_a_snapshot_is_found() {
    let folder = Folder::new("spoiled-snapshot");
    folder.make("1M");
    let mark = b"these bytes only a snapshot has";
    for data in [mark.as_slice(), b"others"] {
        fs::write(folder.file("f"), data).unwrap();
        folder.put(&folder.file("f"), "f").unwrap();
        let _ = snap(folder.image(), "old", false);
    }
    assert!(folder.check());
    let image = fs::read(folder.file("disk")).unwrap();
    let at = image.windows(mark.len()).position(|bytes| bytes == mark).unwrap();
    let file = fs::File::options().write(true).open(folder.file("disk")).unwrap();
    file.write_all_at(b"T", at as u64).unwrap();
    assert!(!folder.check());
    assert!(folder.get_from(folder.image(), Some("old"), "f").unwrap_err().contains("corrupt"));
    assert_eq!(folder.get("f").unwrap(), b"others");
}

#[test]
fn what_lies_is_named() {
    for (lie, words) in [
        (Lie::Ring, "cannot be reached from the root"),
        (Lie::Twice, "for a Directory"),
        (Lie::Shared, "two pointers lead to block"),
        (Lie::Size, "blocks of it are stored and it says"),
        (Lie::Outside, "which nobody can have"),
        (Lie::Names, "a name in it is none"),
    ] {
        let folder = Folder::new(&format!("{lie:?}"));
        folder.make("1M");
        fs::create_dir_all(folder.file("home/a/b")).unwrap();
        for name in ["one", "two", "thief"] {
            fs::write(folder.file("home").join(name), name).unwrap();
        }
        folder.put(&folder.file("home"), "home").unwrap();
        assert!(folder.check());
        assert!(carry_out(&FsVerb::Craft { image: folder.image(), lie }).unwrap());
        let files = mount(&folder.image(), Access::Read).unwrap_or_else(|_| panic!()).0;
        let found: Vec<String> = block_on(files.check()).unwrap().iter().map(ToString::to_string).collect();
        assert!(found.iter().any(|finding| finding.contains(words)), "{lie:?}: {found:?}");
        assert!(!folder.check());
        assert_eq!(folder.get("home/two").unwrap(), b"two");
        let copied = folder.get_tree("home");
        let copy = folder.file("copy");
        assert_eq!(fs::read(copy.join("two")).unwrap(), b"two", "{lie:?}: {copied:?}");
        assert!(!folder.file("b").exists() && !copy.join("b").exists());
        match lie {
            Lie::Size | Lie::Outside => assert!(!copy.join("one").exists(), "a part of it is not left"),
            Lie::Names => assert!(copied.is_err_and(|why| why.contains("home/a"))),
            _ => {}
        }
    }
}

/// What leads out of the folder, is a directory that is there twice, or fails in the middle: all else is copied.
#[test]
fn a_tree_that_lies_stays_in_its_folder() {
    use super::tree::{Inside, Tree, get};
    struct Liar;
    impl Tree for Liar {
        type Node = u64;
        fn find(&self, _: &str) -> Result<u64, Failure> {
            Ok(1)
        }
        fn directory(&self, node: &u64) -> Option<u64> {
            (*node < 10).then_some(*node)
        }
        fn inside(&self, _: &u64, _: &str) -> Inside<u64> {
            let names = ["..", ".", "", "../out", "/tmp/out", "a\0b"].map(|name| (name.to_owned(), 10));
            let more = [("loop", 1), ("below", 2), ("again", 2), ("broken", 11), ("twin", 10), ("twin", 10)];
            let inside = names.into_iter().chain(more.map(|(name, node)| (name.to_owned(), node)));
            (inside.collect(), Err(Failure::new("there may be more")))
        }
        fn fill(&self, node: &u64, _: &str, file: &mut fs::File) -> Result<(), Failure> {
            std::io::Write::write_all(file, b"whole").unwrap();
            if *node == 11 { Err(Failure::new("it is broken")) } else { Ok(()) }
        }
        fn show(&self, _: &u64, _: &str) -> Result<(), Failure> {
            unreachable!("there is a folder")
        }
    }
    let folder = Folder::new("liar");
    let failure = get(&Liar, "x", Some(&folder.file("copy"))).unwrap_err().to_string();
    for words in ["may be more", "is broken", "x/..: no file can have that name", "another name", " more"] {
        assert!(failure.contains(words), "{words}: {failure}");
    }
    let names = |path: &str| {
        let mut names: Vec<_> =
            fs::read_dir(folder.file(path)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!((names(""), names("copy")), (vec!["copy".into()], vec!["below".into(), "twin".into()]));
    assert_eq!(names("copy/below"), ["twin"]);
    let again = get(&Liar, "x", Some(&folder.file("copy"))).unwrap_err().to_string();
    assert!(again.ends_with("a folder that is not there yet"), "{again}");
}

#[test]
fn what_can_not_be_got_is_not_half_there() {
    let folder = Folder::new("half");
    fs::write(folder.file("large"), vec![7; 1 << 20]).unwrap();
    let make = "mformat -C -i disk -f 2880 ::; mcopy -i disk large ::; truncate -s 600000 disk";
    let done = Command::new("sh").args(["-euc", make]).current_dir(&folder.0).status();
    assert!(done.is_ok_and(|done| done.success()));
    assert!(folder.get("large").is_err());
    assert!(!folder.file("out").exists());
}
