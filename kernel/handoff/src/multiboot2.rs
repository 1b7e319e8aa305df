//! Multiboot2: the boot information that GRUB leaves (Multiboot2 Specification 2.0, section 3.6).
//!
//! Each boot file is a module whose string starts with the file's name: `module2 /capos/init init`.

use crate::Refusal;
use crate::boot::{Boot, File, Files, RootPointers, Span};
use crate::bytes::{u32_at, u64_at, until_nul};
use crate::map::{Kind, MemoryMap};
use crate::physical::Physical;

const TAG_END: u32 = 0;
const TAG_COMMAND_LINE: u32 = 1;
const TAG_MODULE: u32 = 3;
const TAG_MEMORY: u32 = 6;
const TAG_EFI64_SYSTEM_TABLE: u32 = 12;
const TAG_ACPI_OLD: u32 = 14;
const TAG_ACPI_NEW: u32 = 15;

const HEADER_LENGTH: usize = 8;

/// Reads the boot information at `at`.
pub fn read<'m>(physical: &dyn Physical<'m>, at: u64) -> Result<Boot<'m>, Refusal> {
    let start = physical.bytes(at, HEADER_LENGTH as u64).ok_or(Refusal::BadMultiboot)?;
    let length = u64::from(u32_at(start, 0).ok_or(Refusal::BadMultiboot)?);
    let info = physical.bytes(at, length).ok_or(Refusal::BadMultiboot)?;

    let mut command_line: &[u8] = b"";
    let mut memory: Option<&[u8]> = None;
    let mut files = Files::default();
    let mut root_pointers = RootPointers::default();
    for tag in Tags::new(info) {
        let tag = tag?;
        match tag.kind {
            TAG_COMMAND_LINE => command_line = until_nul(tag.body),
            TAG_MODULE => files.push(module(tag.body)?)?,
            TAG_MEMORY => memory = Some(tag.body),
            TAG_EFI64_SYSTEM_TABLE => root_pointers.efi_system_table = u64_at(tag.body, 0).unwrap_or(0),
            TAG_ACPI_OLD if root_pointers.copy == 0 => root_pointers.copy = at + tag.body_at as u64,
            TAG_ACPI_NEW => root_pointers.copy = at + tag.body_at as u64,
            _ => {}
        }
    }
    let memory = memory_entries(memory.ok_or(Refusal::NoMemoryMap)?).ok_or(Refusal::BadMultiboot)?;
    Ok(Boot {
        command_line,
        memory: MemoryMap::from_firmware(memory)?,
        files,
        package: None,
        information: [Span { at, length }, Span::default(), Span::default(), Span::default()],
        root_pointers,
    })
}

struct Tag<'m> {
    kind: u32,
    body: &'m [u8],
    body_at: usize,
}

/// Iterator over tags; ends at the end tag or after damage.
struct Tags<'m> {
    info: &'m [u8],
    at: Option<usize>,
}

impl<'m> Tags<'m> {
    fn new(info: &'m [u8]) -> Self {
        Tags { info, at: Some(HEADER_LENGTH) }
    }

    fn read(&self, at: usize) -> Option<(Tag<'m>, usize)> {
        let kind = u32_at(self.info, at)?;
        let size = u32_at(self.info, at.checked_add(4)?)? as usize;
        let body_at = at.checked_add(HEADER_LENGTH)?;
        let end = at.checked_add(size)?;
        let body = self.info.get(body_at..end)?;
        Some((Tag { kind, body, body_at }, end.checked_next_multiple_of(8)?))
    }
}

impl<'m> Iterator for Tags<'m> {
    type Item = Result<Tag<'m>, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at.take()?;
        let Some((tag, next)) = self.read(at) else { return Some(Err(Refusal::BadMultiboot)) };
        if tag.kind == TAG_END {
            return None;
        }
        self.at = Some(next);
        Some(Ok(tag))
    }
}

/// A module tag: start, end, and a string whose first word names the boot file.
fn module(body: &[u8]) -> Result<File<'_>, Refusal> {
    let start = u32_at(body, 0).ok_or(Refusal::BadMultiboot)?;
    let end = u32_at(body, 4).ok_or(Refusal::BadMultiboot)?;
    let text = until_nul(body.get(8..).unwrap_or(b"")).trim_ascii();
    let (name, arguments) = match text.iter().position(|&byte| byte == b' ') {
        Some(blank) => text.split_at(blank),
        None => (text, &b""[..]),
    };
    let name = name.rsplit(|&byte| byte == b'/').next().unwrap_or(name);
    if name.is_empty() {
        return Err(Refusal::NamelessModule);
    }
    let length = end.checked_sub(start).ok_or(Refusal::BadMultiboot)?;
    Ok(File { name, arguments: arguments.trim_ascii(), at: u64::from(start), length: u64::from(length) })
}

/// The entries of a memory map tag, whose length the tag itself says.
fn memory_entries(body: &[u8]) -> Option<impl Iterator<Item = (u64, u64, Kind)> + Clone> {
    let entry_length = u32_at(body, 0)? as usize;
    if entry_length < 20 {
        return None;
    }
    Some(body.get(8..)?.chunks_exact(entry_length).filter_map(|entry| {
        Some((u64_at(entry, 0)?, u64_at(entry, 8)?, Kind::from_e820(u32_at(entry, 16)?)))
    }))
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;
    use crate::physical::fake::Fake;

    const AT: u64 = 0x8000;

    fn tag(kind: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(kind.to_le_bytes());
        bytes.extend((body.len() as u32 + 8).to_le_bytes());
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(8), 0);
        bytes
    }

    fn module_body(start: u32, end: u32, text: &[u8]) -> Vec<u8> {
        [&start.to_le_bytes()[..], &end.to_le_bytes(), text].concat()
    }

    fn memory_tag() -> Vec<u8> {
        let mut body = Vec::new();
        body.extend(24u32.to_le_bytes());
        body.extend(0u32.to_le_bytes());
        for word in [0x10_0000u64, 0x700_0000, 1] {
            body.extend(word.to_le_bytes());
        }
        tag(TAG_MEMORY, &body)
    }

    fn info(tags: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![0; 8];
        bytes.extend(tags.concat());
        bytes.extend(tag(TAG_END, b""));
        let length = bytes.len() as u32;
        bytes[..4].copy_from_slice(&length.to_le_bytes());
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<Boot<'_>, Refusal> {
        read(&Fake(vec![(AT, bytes)]), AT)
    }

    #[test]
    fn good_information_is_read() {
        let bytes = info(&[
            tag(TAG_COMMAND_LINE, b"panic=reboot\0"),
            tag(TAG_MODULE, &module_body(0x20_0000, 0x20_1234, b"kernel.elf\0")),
            tag(TAG_MODULE, &module_body(0x30_0000, 0x30_0001, b"boot/init  one two \0")),
            tag(77, b"unknown"),
            tag(TAG_EFI64_SYSTEM_TABLE, &0x7f00_0000u64.to_le_bytes()),
            tag(TAG_ACPI_OLD, b"RSD PTR old"),
            memory_tag(),
        ]);
        let boot = read_all(&bytes).unwrap();
        assert_eq!(boot.command_line, b"panic=reboot");
        assert_eq!(boot.files.kernel().unwrap().length, 0x1234);
        let init = boot.files.modules().next().unwrap();
        assert_eq!((init.name, init.arguments), (&b"init"[..], &b"one two"[..]));
        assert_eq!(boot.root_pointers.efi_system_table, 0x7f00_0000);
        assert!(bytes[(boot.root_pointers.copy - AT) as usize..].starts_with(b"RSD PTR old"));
        assert_eq!(boot.memory.regions().len(), 2);
    }

    #[test]
    fn the_new_root_pointer_wins() {
        let new = tag(TAG_ACPI_NEW, b"new");
        let old = tag(TAG_ACPI_OLD, b"old");
        for tags in [[new.clone(), old.clone()], [old, new]] {
            let bytes = info(&[tags.concat(), memory_tag()]);
            let boot = read_all(&bytes).unwrap();
            assert!(bytes[(boot.root_pointers.copy - AT) as usize..].starts_with(b"new"));
        }
    }

    #[test]
    fn modules_need_names_and_sizes() {
        let nameless = info(&[tag(TAG_MODULE, &module_body(1, 2, b"\0")), memory_tag()]);
        assert_eq!(read_all(&nameless).unwrap_err(), Refusal::NamelessModule);
        let backward = info(&[tag(TAG_MODULE, &module_body(2, 1, b"x\0")), memory_tag()]);
        assert_eq!(read_all(&backward).unwrap_err(), Refusal::BadMultiboot);
    }

    #[test]
    fn damage_is_refused() {
        assert_eq!(read_all(&info(&[])).unwrap_err(), Refusal::NoMemoryMap);
        let mut cut = info(&[memory_tag()]);
        cut[8 + 4] = 0xff;
        assert_eq!(read_all(&cut).unwrap_err(), Refusal::BadMultiboot);
        let mut small = info(&[memory_tag()]);
        small[8 + 4] = 3;
        assert_eq!(read_all(&small).unwrap_err(), Refusal::BadMultiboot);
        let mut tiny_entries = info(&[memory_tag()]);
        tiny_entries[8 + 8] = 0;
        assert_eq!(read_all(&tiny_entries).unwrap_err(), Refusal::BadMultiboot);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(mut bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 8..400)) {
            let length = bytes.len() as u32;
            bytes[..4].copy_from_slice(&length.to_le_bytes());
            let _ = read_all(&bytes);
        }
    }
}
