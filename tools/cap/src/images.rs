//! The shipped images in `target/image/`: the default system on an ISO and on a raw disk, by GRUB, and by Limine where it is.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use image::grub;
use image::limine::Limine;

use crate::build::{self, Programs, Scope, write_if_new};
use crate::exec::{Context, Failure};
use crate::house::House;
use crate::package::Package;
use crate::progress::Progress;
use crate::systems::Systems;

/// Which system ships.
const SHIPPED: &str = "default";

/// Where the images are.
pub struct Images {
    /// Boots on BIOS and UEFI, from optical discs and USB sticks.
    pub iso: PathBuf,
    /// Boots on BIOS and UEFI.
    pub raw: PathBuf,
    /// The same by Limine, or why there are none.
    pub limine: Result<(PathBuf, PathBuf), String>,
}

impl Images {
    fn paths(folder: &Path, limine: Result<(), String>) -> Images {
        Images {
            iso: folder.join("capos.iso"),
            raw: folder.join("capos.raw"),
            limine: limine.map(|()| (folder.join("capos-limine.iso"), folder.join("capos-limine.raw"))),
        }
    }

    /// The ISO that `run` boots: by Limine where it is present.
    pub fn preferred(&self) -> &Path {
        self.limine.as_ref().map_or(self.iso.as_path(), |(iso, _)| iso.as_path())
    }
}

/// Builds everything and makes the images.
pub fn make(house: &House) -> Result<Images, Failure> {
    let (programs, systems) = build::build(house, Scope::Shipped)?;
    of_built(house, &programs, &systems)
}

/// Makes the images of what was just built, unless they are of the same contents already.
pub fn of_built(house: &House, programs: &Programs, systems: &Systems) -> Result<Images, Failure> {
    write(house, programs, systems, &image_folder(house))
}

fn image_folder(house: &House) -> PathBuf {
    house.target().join("image")
}

/// Makes the images of what was built before, perhaps with more than ships.
pub fn of(house: &House) -> Result<Images, Failure> {
    let programs = build::programs(house, Scope::Shipped)?;
    of_built(house, &programs, &Systems::load(house, &programs)?)
}

fn write(house: &House, programs: &Programs, systems: &Systems, folder: &Path) -> Result<Images, Failure> {
    let contents = Package::new(house, programs, systems.manifest(SHIPPED)?)?.contents("")?;
    let loader = house.boot().join("handoff.elf");
    let handoff = fs::read(&loader).context(loader.display())?;
    let limine = Limine::find();
    let images =
        Images::paths(folder, limine.as_ref().map(drop).map_err(|absent| format!("Limine: {absent}")));
    let stamp = stamp(contents.fingerprint(), &handoff, limine.is_ok());
    let stamped = folder.join("stamp");
    if images.iso.is_file()
        && images.raw.is_file()
        && fs::read_to_string(&stamped).is_ok_and(|old| old == stamp)
    {
        return Ok(images);
    }
    let _turn = house.turn()?;
    fs::create_dir_all(folder).context(folder.display())?;
    let progress = Progress::start("make images");
    grub::iso(&contents, &handoff, &images.iso).context(images.iso.display())?;
    grub::disk(&contents, &handoff, &images.raw).context(images.raw.display())?;
    if let (Ok(limine), Ok((iso, raw))) = (&limine, &images.limine) {
        limine.iso(&contents, iso).context(iso.display())?;
        limine.disk(&contents, raw).context(raw.display())?;
    }
    progress.finish(true);
    write_if_new(&stamped, stamp.as_bytes())?;
    Ok(images)
}

/// Different contents have different stamps. Only compared on this machine, so the hash need not be stable between toolchains.
fn stamp(fingerprint: u64, handoff: &[u8], limine: bool) -> String {
    let mut hasher = DefaultHasher::new();
    handoff.hash(&mut hasher);
    format!("{fingerprint:016x} {:016x} {limine}\n", hasher.finish())
}

/// `cap image`.
pub fn show(house: &House) -> Result<bool, Failure> {
    let images = make(house)?;
    let limine = images.limine.as_ref().map(|(iso, raw)| vec![iso, raw]).unwrap_or_default();
    for path in [&images.iso, &images.raw].into_iter().chain(limine) {
        let bytes = fs::metadata(path).context(path.display())?.len();
        println!("{:>12} bytes  {}", bytes, house.short(path).display());
    }
    if let Err(why) = &images.limine {
        println!("no Limine images: {why}");
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_tell_contents_apart() {
        assert_eq!(stamp(1, b"x", false), stamp(1, b"x", false));
        assert_ne!(stamp(1, b"x", false), stamp(2, b"x", false));
        assert_ne!(stamp(1, b"x", false), stamp(1, b"y", false));
        assert_ne!(stamp(1, b"x", false), stamp(1, b"x", true));
    }

    #[test]
    fn limine_is_preferred_where_it_is() {
        let folder = Path::new("f");
        assert_eq!(Images::paths(folder, Err("absent".into())).preferred(), Path::new("f/capos.iso"));
        assert_eq!(Images::paths(folder, Ok(())).preferred(), Path::new("f/capos-limine.iso"));
    }
}
