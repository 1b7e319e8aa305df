//! RAM of a machine, as QEMU keeps it in a file: not all of it is where its place in the file says, as addresses have holes.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::rules::PAGE;

/// What QEMU calls the memory that `args` gives the machine.
pub const NAME: &str = "ram";

/// Pages that are read together.
const CHUNK: usize = 256;

/// The file, and which addresses lead into it.
#[derive(Default)]
pub struct Ram {
    file: Option<File>,
    pages: usize,
    /// Addresses, and where in the file the first of them is.
    map: Vec<(Range<u64>, u64)>,
}

impl Ram {
    /// Of the process of a machine that `args` gave a memory file (memfd_create(2): it has no name, and no disk behind it).
    pub fn of(qemu: u32) -> io::Result<Ram> {
        for file in fs::read_dir(format!("/proc/{qemu}/fd"))? {
            let path = file?.path();
            // Others may be closed meanwhile.
            let is_memory = |target: &Path| target.to_string_lossy().contains("memfd:memory-backend-memfd");
            if fs::read_link(&path).is_ok_and(|target| is_memory(&target)) {
                return Ram::over(File::options().read(true).write(true).open(path)?);
            }
        }
        Err(io::Error::other("QEMU has no memory file"))
    }

    /// Over a file of whole pages.
    pub fn over(file: File) -> io::Result<Ram> {
        let pages = usize::try_from(file.metadata()?.len()).unwrap_or(0) / PAGE;
        Ok(Ram { file: Some(file), pages, map: Vec::new() })
    }

    fn file(&self) -> io::Result<&File> {
        self.file.as_ref().ok_or_else(|| io::Error::other("not attached"))
    }

    /// How many pages there are.
    pub fn pages(&self) -> usize {
        self.pages
    }

    /// One page.
    pub fn page_at(&self, number: u64) -> io::Result<[u8; PAGE]> {
        let mut page = [0; PAGE];
        self.file()?.read_exact_at(&mut page, number * PAGE as u64)?;
        Ok(page)
    }

    /// Shows all pages in their order.
    pub fn each(&self, mut show: impl FnMut(u64, &[u8; PAGE])) -> io::Result<()> {
        let mut chunk = vec![0; CHUNK * PAGE];
        for first in (0..self.pages).step_by(CHUNK) {
            let bytes = CHUNK.min(self.pages - first) * PAGE;
            let chunk = chunk.get_mut(..bytes).unwrap_or_default();
            self.file()?.read_exact_at(chunk, (first * PAGE) as u64)?;
            (first as u64..).zip(chunk.as_chunks().0).for_each(|(number, page)| show(number, page));
        }
        Ok(())
    }

    /// Writes at a place in the file.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        self.file()?.write_all_at(bytes, at)
    }

    /// Learns which addresses lead where, from what QEMU says with `info mtree -f`:
    /// `0000000100000000-00000001ffffffff (prio 0, ram): ram @0000000080000000`.
    pub fn learn(&mut self, text: &str) -> Result<(), String> {
        self.map = text.lines().filter_map(line).collect();
        self.map.sort_by_key(|(addresses, _)| addresses.start);
        self.map.dedup();
        if self.map.is_empty() { Err("QEMU names no memory that is shared".into()) } else { Ok(()) }
    }

    /// The address of a page, where it has one.
    pub fn physical(&self, page: u64) -> Option<u64> {
        let at = page * PAGE as u64;
        let found = self.map.iter().find(|(addresses, from)| (*from..from + length(addresses)).contains(&at));
        found.map(|(addresses, from)| addresses.start + (at - from))
    }

    /// Where in the file an address leads.
    pub fn place(&self, address: u64) -> Option<u64> {
        let found = self.map.iter().find(|(addresses, _)| addresses.contains(&address));
        found.map(|(addresses, from)| from + (address - addresses.start))
    }

    /// The page in which an address lies.
    pub fn page(&self, address: u64) -> Option<u64> {
        self.place(address).map(|at| at / PAGE as u64)
    }

    /// Eight bytes at an address.
    pub fn word(&self, address: u64) -> Option<u64> {
        self.word_at(self.place(address)?)
    }

    /// Eight bytes at a place in the file.
    pub fn word_at(&self, at: u64) -> Option<u64> {
        let mut bytes = [0; 8];
        self.file().ok()?.read_exact_at(&mut bytes, at).ok()?;
        Some(u64::from_le_bytes(bytes))
    }
}

fn length(addresses: &Range<u64>) -> u64 {
    addresses.end - addresses.start
}

fn line(line: &str) -> Option<(Range<u64>, u64)> {
    let (addresses, what) = line.trim().split_once(" (prio ")?;
    let (first, last) = addresses.split_once('-')?;
    let mut words = what.split_once("): ")?.1.split_whitespace();
    if words.next() != Some(NAME) {
        return None;
    }
    let number = |text: &str| u64::from_str_radix(text, 16).ok();
    let from = words.next().and_then(|word| word.strip_prefix('@')).map_or(Some(0), number)?;
    Some((number(first)?..number(last)?.checked_add(1)?, from))
}

#[cfg(test)]
mod tests {
    use super::*;

    const Q35: &str = "FlatView #3\n AS \"memory\", root: system\n Root memory region: system\n\
  0000000000000000-000000000009ffff (prio 0, ram): ram\n\
  00000000000a0000-00000000000bffff (prio 1, i/o): vga\n\
  00000000000c3000-00000000000e7fff (prio 0, rom): ram @00000000000c3000\n\
  0000000000100000-000000007fffffff (prio 0, ram): ram @0000000000100000\n\
  00000000fffc0000-00000000ffffffff (prio 0, rom): pc.bios\n\
  0000000100000000-00000001ffffffff (prio 0, ram): ram @0000000080000000\n\
FlatView #4\n  0000000000000000-000000000009ffff (prio 0, ram): ram\n";

    fn ram(text: &str) -> Ram {
        let file = File::open("/dev/null").unwrap();
        let mut ram = Ram::over(file).unwrap();
        ram.learn(text).unwrap();
        ram
    }

    #[test]
    fn memory_above_the_hole_is_found() {
        let ram = ram(Q35);
        assert_eq!(ram.map.len(), 4);
        assert_eq!(ram.physical(0x80000), Some(0x1_0000_0000));
        assert_eq!(ram.page(0x1_0000_5008), Some(0x80005));
        assert_eq!(ram.physical(0x7ffff), Some(0x7fff_f000));
        assert_eq!((ram.place(0x7fff_fff8), ram.place(0x8000_0000)), (Some(0x7fff_fff8), None));
        assert_eq!(ram.physical(0xa0), None, "what is behind a device's memory has no address");
    }

    #[test]
    fn a_machine_without_shared_memory_is_an_error() {
        let mut ram = ram(Q35);
        assert!(ram.learn("0000000000000000-000000000009ffff (prio 0, ram): pc.ram\n").is_err());
    }
}
