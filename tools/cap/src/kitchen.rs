//! What machines of the lab boot from: packages composed for a case, or the shipped images.

use std::fs;
use std::path::{Path, PathBuf};

use lab::case::{Boot, Case};
use lab::machine::args::Media;
use lab::machine::debugger::Setup;
use lab::matrix::SubCase;
use lab::run::{Kitchen, Unready};

use crate::build::{self, Programs, Scope};
use crate::debugger;
use crate::exec::Failure;
use crate::house::House;
use crate::images::{self, Images};
use crate::package::Package;
use crate::plugin;
use crate::systems::Systems;

/// Everything that a list of cases needs, built.
pub struct Pantry {
    house: House,
    programs: Programs,
    /// Those of them that ship.
    shipped: Programs,
    systems: Systems,
    /// Made only where a case boots from one.
    images: Option<Images>,
    /// Notes stores, for machines with a canary; made only for such, or why it cannot be.
    watcher: Option<Result<PathBuf, String>>,
}

impl Pantry {
    /// Builds what `cases` boot from.
    pub fn stock(house: &House, cases: &[SubCase]) -> Result<Pantry, Failure> {
        let (programs, systems) = build::build(house, Scope::All)?;
        let shipped = build::programs(house, Scope::Shipped)?;
        let from_image = cases.iter().any(|case| case.case.machine.boot != Boot::Pvh);
        let images = from_image.then(|| images::of(house)).transpose()?;
        let watched = cases.iter().any(|case| case.case.machine.canary);
        let watcher = watched.then(|| plugin::build(house, "stores")).transpose()?;
        Ok(Pantry { house: house.clone(), programs, shipped, systems, images, watcher })
    }

    fn package(&self, case: &Case, name: &str, seed: u64, folder: &Path) -> Result<Media, String> {
        let manifest = self.systems.manifest_of_case(&case.system, name, seed, case.machine.memory)?;
        let programs = if case.system.shipped { &self.shipped } else { &self.programs };
        let mut package =
            Package::new(&self.house, programs, manifest).map_err(|failure| failure.to_string())?;
        package.damage(&case.fault)?;
        let bytes = package.bytes().map_err(|failure| failure.to_string())?;
        let path = folder.join("package.cpio");
        fs::write(&path, bytes).map_err(|error| format!("{}: {error}", path.display()))?;
        let command_line = format!("seed={seed} {}", case.system.command_line);
        Ok(Media::Pvh {
            loader: self.house.boot().join("handoff.elf"),
            package: path,
            command_line: command_line.trim_end().to_owned(),
        })
    }

    fn image(&self, boot: Boot) -> Result<PathBuf, Unready> {
        let images = self.images.as_ref().ok_or_else(|| Unready::Fail("no image was made".into()))?;
        let (iso, raw) = match boot.limine() {
            true => images
                .limine
                .as_ref()
                .map(|(iso, raw)| (iso, raw))
                .map_err(|why| Unready::Skip(why.clone()))?,
            false => (&images.iso, &images.raw),
        };
        Ok(if boot.iso() { iso.clone() } else { raw.clone() })
    }
}

impl Kitchen for Pantry {
    fn media(&self, case: &Case, name: &str, seed: u64, folder: &Path) -> Result<Media, Unready> {
        match case.machine.boot {
            Boot::Pvh => self.package(case, name, seed, folder).map_err(Unready::Fail),
            boot if boot.iso() => self.image(boot).map(Media::Cdrom),
            boot => self.image(boot).map(Media::Disk),
        }
    }

    fn watcher(&self) -> Result<PathBuf, Unready> {
        let none = || Err("no plugin was made".to_owned());
        self.watcher.clone().unwrap_or_else(none).map_err(Unready::Skip)
    }

    fn debugger(&self, port: u16) -> Result<Setup, String> {
        debugger::setup(&self.house, port).map_err(|failure| failure.to_string())
    }
}
