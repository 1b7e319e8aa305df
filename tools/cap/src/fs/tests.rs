//! Images made, filled, read, spoiled and refused, as by hand.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::carry_out;
use crate::command_line::{FsVerb, Image};

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
        let to = self.file("out");
        let verb = FsVerb::Get { image: self.image(), path: path.into(), file: Some(to.clone()) };
        carry_out(&verb).map_err(|failure| failure.to_string())?;
        Ok(fs::read(to).unwrap())
    }

    fn check(&self) -> bool {
        carry_out(&FsVerb::Check { image: self.image() }).unwrap()
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
        assert!(carry_out(&FsVerb::Ls { image: folder.image(), path: path.into() }).unwrap());
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
    assert!(folder.get("d").unwrap_err().contains("`ls` shows them"));
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
    assert!(make(Some("1M")).unwrap_err().to_string().contains("leave --size out"));
    assert!(make(Some("much")).unwrap_err().to_string().contains("not a size"));
    assert!(carry_out(&FsVerb::Mkfs { image: folder.image(), size: None, force: true }).unwrap());
    let no_volume = Image { image: small, partition: None };
    assert!(
        carry_out(&FsVerb::Check { image: no_volume })
            .unwrap_err()
            .to_string()
            .contains("there is no volume")
    );
    let no_table = Image { partition: Some("1".into()), ..folder.image() };
    let failure = carry_out(&FsVerb::Check { image: no_table }).unwrap_err().to_string();
    assert!(failure.contains("no table of partitions"), "{failure}");
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
    assert_eq!(folder.get("two").unwrap(), b"these will not");
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
    let failure = folder.get("f").unwrap_err();
    assert!(failure.contains("there is no volume") && failure.contains("--partition 1  files"), "{failure}");
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
        assert!(folder.get("docs").is_err_and(|why| why.contains("no bytes")));
        assert!(folder.get("docs/B").is_err_and(|why| why.contains("no such name")));
        for path in ["", "docs", "docs/A long name.txt"] {
            assert_eq!(carry_out(&FsVerb::Ls { image: folder.image(), path: path.into() }).ok(), Some(true));
        }
        let before = fs::read(folder.file("disk")).unwrap();
        assert!(folder.put(&folder.file("tree/docs/A long name.txt"), "new").is_err());
        assert!(fs::read(folder.file("disk")).unwrap() == before);
    }
}
