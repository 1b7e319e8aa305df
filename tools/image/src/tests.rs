//! Images of tiny contents: twice the same bytes, and good in the eyes of other tools where those are installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use capos_cpio::{Archive, DATA_ALIGNMENT};

use crate::limine::Limine;
use crate::tool::Scratch;
use crate::tree::{Tree, UEFI_LOADER};
use crate::{BootFile, Contents, Error, Report, fat, grub, package};

fn file(name: &str, data: &[u8]) -> BootFile {
    BootFile { name: name.to_owned(), data: data.to_vec() }
}

fn contents() -> Contents {
    let files =
        vec![file("init", &[1; 5000]), file("a-service_with.a-rather-long+name", b"x"), file("empty", b"")];
    Contents::new(vec![7; 100_000], files, "panic=halt seed=1").unwrap()
}

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("capos-image-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

/// Makes an image twice, under different names, and compares. Without the tools there is nothing to test.
fn twice(name: &str, make: impl Fn(&Path) -> Result<Report, Error>) -> Option<PathBuf> {
    let folder = folder(name);
    let (first, second) = (folder.join("first"), folder.join("second"));
    let report = match make(&first) {
        Err(error @ Error::ToolMissing { .. }) => {
            eprintln!("{name} is not tested: {error}");
            return None;
        }
        result => result.unwrap(),
    };
    // File systems and tools that look at the clock would show it now.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    make(&second).unwrap();
    let (first_bytes, second_bytes) = (std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    assert_eq!(report.bytes, first_bytes.len() as u64);
    let same = first_bytes == second_bytes;
    assert!(same, "{name}: two builds differ");
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 2, "nothing else is left behind");
    std::fs::remove_file(second).unwrap();
    Some(first)
}

/// What a tool says, if it is installed.
fn output(tool: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(tool).args(arguments).env("MTOOLS_SKIP_CHECK", "1").output().ok()?;
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{tool}: {text}");
    Some(text)
}

#[test]
fn names_are_checked() {
    let refused = |name: &str| Contents::new(vec![], vec![file(name, b"")], "").unwrap_err();
    for name in ["", "a b", "../x", ".hidden", "x\n", "über", &"n".repeat(65)] {
        assert!(matches!(refused(name), Error::BadName(_)), "{name}");
    }
    assert!(matches!(refused("kernel.elf"), Error::DuplicateName(_)));
    assert!(matches!(refused("handoff.elf"), Error::DuplicateName(_)));
    let twice = Contents::new(vec![], vec![file("x", b"1"), file("x", b"2")], "");
    assert!(matches!(twice.unwrap_err(), Error::DuplicateName(_)));
}

#[test]
fn command_lines_are_checked() {
    for line in ["", "panic=halt", "panic=halt seed=12 system=a,b:/c"] {
        assert!(Contents::new(vec![], vec![], line).is_ok(), "{line}");
    }
    for line in ["a;b", "a\nb", "$x", "a  b", " a", "a ", "\"a\"", "{"] {
        assert!(
            matches!(Contents::new(vec![], vec![], line).unwrap_err(), Error::BadCommandLine(_)),
            "{line}"
        );
    }
}

#[test]
fn files_are_sorted_and_fingerprinted() {
    let one = Contents::new(vec![1], vec![file("b", b"2"), file("a", b"1")], "").unwrap();
    let other = Contents::new(vec![1], vec![file("a", b"1"), file("b", b"2")], "").unwrap();
    assert_eq!(one.files()[0].name, "a");
    assert_eq!(one.fingerprint(), other.fingerprint());
    let changed = Contents::new(vec![1], vec![file("a", b"1"), file("b", b"3")], "").unwrap();
    let moved = Contents::new(vec![1], vec![file("a", b"12"), file("b", b"")], "").unwrap();
    let lined = Contents::new(vec![1], vec![file("a", b"1"), file("b", b"2")], "x").unwrap();
    for different in [changed, moved, lined] {
        assert_ne!(one.fingerprint(), different.fingerprint());
    }
}

#[test]
fn the_package_has_the_kernel_first() {
    let contents = contents();
    let bytes = package(&contents).unwrap();
    assert_eq!(bytes, package(&contents).unwrap());
    let entries: Vec<_> = Archive::new(&bytes).entries().map(Result::unwrap).collect();
    let names: Vec<_> = entries.iter().map(|entry| entry.name()).collect();
    assert_eq!(names, ["kernel.elf", "a-service_with.a-rather-long+name", "empty", "init"]);
    assert!(entries.iter().all(|entry| entry.data_offset() % DATA_ALIGNMENT == 0));
}

#[test]
fn folders_come_before_what_is_in_them() {
    let mut tree = Tree::default();
    for path in ["b/c/d", "a", "b/x", "b/c/e"] {
        tree.add(path, b"");
    }
    assert_eq!(tree.folders(), ["b", "b/c"]);
}

#[test]
fn volumes_are_good_in_the_eyes_of_fsck() {
    let large = vec![3; 3 << 20];
    let contents = contents();
    let mut tree = Tree::of(&contents);
    tree.add(UEFI_LOADER, &large);
    for (purpose, name, most) in [(fat::Use::BootImage, "small", 5 << 20), (fat::Use::Disk, "disk", 40 << 20)]
    {
        let image = twice(&format!("fat-{name}"), |path| {
            let volume = fat::volume(&tree, purpose, 7, &Scratch::beside(path)?)?;
            assert!(volume.len() < most, "{} bytes", volume.len());
            std::fs::write(path, volume).unwrap();
            Report::of(path)
        });
        let Some(image) = image else { return };
        match output("/sbin/fsck.fat", &["-n", "-v", image.to_str().unwrap()]) {
            Some(text) if purpose == fat::Use::Disk => assert!(text.contains("32 bit"), "{text}"),
            Some(_) => {}
            None => eprintln!("not tested: fsck.fat is not installed"),
        }
        std::fs::remove_dir_all(folder(&format!("fat-{name}"))).unwrap();
    }
}

#[test]
fn the_grub_iso_is_the_same_twice() {
    let contents = contents();
    let Some(image) = twice("iso", |path| grub::iso(&contents, &[9; 50_000], path)) else { return };
    let report =
        output("xorriso", &["-indev", image.to_str().unwrap(), "-report_el_torito", "plain"]).unwrap();
    assert!(report.contains("BIOS") && report.contains("UEFI"), "{report}");
    let files = output("xorriso", &["-indev", image.to_str().unwrap(), "-find", "/capos"]).unwrap();
    for name in ["kernel.elf", "handoff.elf", "init", "a-service_with.a-rather-long+name"] {
        assert!(files.contains(&format!("'/capos/{name}'")), "{files}");
    }
    std::fs::remove_dir_all(folder("iso")).unwrap();
}

#[test]
fn the_grub_disk_is_the_same_twice() {
    let contents = contents();
    let Some(image) = twice("disk", |path| grub::disk(&contents, &[9; 50_000], path)) else { return };
    check_disk(&image, "handoff.elf");
    std::fs::remove_dir_all(folder("disk")).unwrap();
}

/// Asks sgdisk about the partition table and mtools about the files.
fn check_disk(image: &Path, loader: &str) {
    let path = image.to_str().unwrap();
    match output("/sbin/sgdisk", &["-v", path]) {
        Some(text) => assert!(text.contains("No problems found"), "{text}"),
        None => eprintln!("the partition table is not tested: sgdisk is not installed"),
    }
    let at = crate::disk::SYSTEM_FIRST * crate::disk::SECTOR;
    match output("mdir", &["-b", "-s", "-i", &format!("{path}@@{at}"), "::/"]) {
        Some(files) => {
            for name in ["capos/kernel.elf", loader, "capos/init", "EFI/BOOT/BOOTX64.EFI"] {
                assert!(files.contains(name), "{name} in {files}");
            }
        }
        None => eprintln!("the files are not tested: mtools is not installed"),
    }
}

#[test]
fn no_limine_is_said_with_its_reason() {
    let empty = folder("no-limine");
    let absent = Limine::open(&empty).unwrap_err();
    assert!(absent.to_string().contains("limine-bios.sys"), "{absent}");
    std::fs::remove_dir_all(empty).unwrap();
}

#[test]
fn limine_images_are_the_same_twice() {
    let limine = match Limine::find() {
        Ok(limine) => limine,
        Err(absent) => return eprintln!("Limine's images are not tested: {absent}"),
    };
    let contents = contents();
    twice("limine-iso", |path| limine.iso(&contents, path));
    if let Some(image) = twice("limine-disk", |path| limine.disk(&contents, path)) {
        check_disk(&image, "boot/limine/limine-bios.sys");
    }
    for name in ["limine-iso", "limine-disk"] {
        std::fs::remove_dir_all(folder(name)).unwrap();
    }
}
