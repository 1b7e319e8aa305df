//! The package for a PVH boot: one archive with the kernel first and each file's data on a page boundary.

use capos_cpio::Writer;

use crate::contents::KERNEL;
use crate::{Contents, Error};

/// The archive's bytes.
pub fn package(contents: &Contents) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    let mut sink = |piece: &[u8]| bytes.extend_from_slice(piece);
    let mut writer = Writer::new(&mut sink);
    let mut add = |name: &str, data: &[u8]| {
        writer.file(name, data).map_err(|error| Error::Package(name.to_owned(), error))
    };
    add(KERNEL, contents.kernel())?;
    for file in contents.files() {
        add(&file.name, &file.data)?;
    }
    writer.finish();
    Ok(bytes)
}
