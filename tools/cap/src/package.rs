//! What goes into packages and images: the kernel, a manifest, a text and every program, whole or damaged as a case wants it.

use std::fs;
use std::path::Path;

use image::{BootFile, Contents, package};
use lab::case::{Damage, Fault};

use crate::build::Programs;
use crate::exec::{Context, Failure};
use crate::house::House;

/// The boot files that are no programs, in every package: a person who looks around finds one that can be read.
const TEXTS: [(&str, &[u8]); 1] = [("welcome", include_bytes!("../files/welcome"))];

/// The kernel, and boot files by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    kernel: Vec<u8>,
    files: Vec<BootFile>,
}

impl Package {
    /// All programs, with this manifest.
    pub fn new(house: &House, programs: &Programs, manifest: Vec<u8>) -> Result<Package, Failure> {
        let read = |path: &Path| fs::read(path).context(path.display());
        let mut files = vec![BootFile { name: "manifest".to_owned(), data: manifest }];
        files.extend(TEXTS.map(|(name, data)| BootFile { name: name.to_owned(), data: data.to_owned() }));
        for name in &programs.binaries {
            files.push(BootFile { name: name.clone(), data: read(&house.boot().join("files").join(name))? });
        }
        Ok(Package { kernel: read(&house.boot().join("kernel.elf"))?, files })
    }

    /// Damages it as a case says.
    pub fn damage(&mut self, faults: &[Fault]) -> Result<(), String> {
        for fault in faults {
            let Some(at) = self.files.iter().position(|file| file.name == fault.file) else {
                return Err(format!("there is no boot file `{}` to damage", fault.file));
            };
            if let Damage::Like(other) = &fault.damage {
                let other = self.files.iter().find(|file| file.name == *other);
                let data = other
                    .map(|file| file.data.clone())
                    .ok_or_else(|| format!("{}: nothing is like that", fault.file))?;
                if let Some(file) = self.files.get_mut(at) {
                    file.data = data;
                }
            } else if let Damage::Remove(_) = fault.damage {
                self.files.remove(at);
            } else if let Some(file) = self.files.get_mut(at) {
                spoil(&mut file.data, &fault.damage).map_err(|error| format!("{}: {error}", fault.file))?;
            }
        }
        Ok(())
    }

    /// As the contents of an image.
    pub fn contents(self, command_line: &str) -> Result<Contents, Failure> {
        Contents::new(self.kernel, self.files, command_line).context("boot files")
    }

    /// As the archive that a PVH machine gets.
    pub fn bytes(self) -> Result<Vec<u8>, Failure> {
        package(&self.contents("")?).context("package")
    }
}

fn spoil(bytes: &mut Vec<u8>, damage: &Damage) -> Result<(), String> {
    match damage {
        Damage::Truncate(length) if *length < bytes.len() => bytes.truncate(*length),
        Damage::Flip(offset) => match bytes.get_mut(*offset) {
            Some(byte) => *byte = !*byte,
            None => return Err(format!("has no byte {offset}")),
        },
        Damage::Replace(text) => *bytes = text.clone().into_bytes(),
        Damage::Truncate(length) => return Err(format!("is not longer than {length} bytes")),
        Damage::Remove(_) | Damage::Like(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, data: &[u8]) -> BootFile {
        BootFile { name: name.into(), data: data.into() }
    }

    fn small() -> Package {
        Package { kernel: vec![9], files: vec![file("manifest", &[1, 2, 3]), file("init", &[4, 5])] }
    }

    fn fault(file: &str, damage: Damage) -> Fault {
        Fault { file: file.into(), damage }
    }

    #[test]
    fn every_package_has_a_text_for_a_terminal() {
        let folder = std::env::temp_dir().join(format!("capos-package-{}", std::process::id()));
        let house = House { root: folder.clone() };
        fs::create_dir_all(house.boot()).unwrap();
        fs::write(house.boot().join("kernel.elf"), b"kernel").unwrap();
        let package = Package::new(&house, &Programs::default(), Vec::new()).unwrap();
        fs::remove_dir_all(folder).unwrap();
        let welcome = package.files.iter().find(|file| file.name == "welcome").unwrap();
        let text = std::str::from_utf8(&welcome.data).unwrap();
        assert!(text.starts_with("Welcome to capOS") && text.ends_with('\n') && text.is_ascii());
        assert!(text.lines().all(|line| line.len() <= 100), "{text}");
    }

    #[test]
    fn damage_is_done() {
        let mut package = small();
        package.damage(&[fault("init", Damage::Flip(1)), fault("manifest", Damage::Truncate(1))]).unwrap();
        assert_eq!(package.files, [file("manifest", &[1]), file("init", &[4, !5])]);
        package.damage(&[fault("manifest", Damage::Like("init".into()))]).unwrap();
        assert_eq!(package.files[0].data, [4, !5]);
        let removed = fault("init", Damage::Remove("why".into()));
        package.damage(&[removed, fault("manifest", Damage::Replace("x".into()))]).unwrap();
        assert_eq!(package.files, [file("manifest", b"x")]);
    }

    #[test]
    fn the_archive_begins_with_the_kernel() {
        let bytes = small().bytes().unwrap();
        assert!(bytes.starts_with(b"070701") && bytes.get(110..120) == Some(b"kernel.elf"));
    }

    #[test]
    fn damage_that_changes_nothing_is_an_error() {
        for (file, damage) in [
            ("none", Damage::Flip(0)),
            ("init", Damage::Flip(2)),
            ("init", Damage::Truncate(2)),
            ("init", Damage::Like("x".into())),
        ] {
            assert!(small().damage(&[fault(file, damage)]).is_err());
        }
    }
}
