//! Which commands there are, and what data each one has (5, 6). What is not here is refused: firmware, formats, security, namespaces and virtual functions
//! are not a driver's; a host memory buffer, shadow doorbells and copies would carry addresses in places that nobody translates.

use super::controller::{Controller, Made};
use super::queue::Reason;

/// Words of eight bytes of a command.
pub type Words = [u64; 8];

/// Which words are pointers: of metadata, and to data.
pub const METADATA: usize = 2;
pub const PRP1: usize = 3;
pub const PRP2: usize = 4;

/// What a command moves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Data {
    /// Nothing.
    None,
    /// So many bytes.
    Bytes(u64),
    /// A page to where answers go; and the namespace that it is about, if it is.
    Answer(Option<u32>),
    /// The ring of a queue lies there.
    Ring(u64),
}

/// Bytes that Identify and other commands have, and that controllers take for a list of ranges however long it is said to be.
const PAGE: u64 = 4096;

/// What a command for the admin queue moves.
pub fn admin(words: &Words, controller: &mut Controller) -> Result<Data, Reason> {
    match opcode(words)? {
        0x01 | 0x05 => create(words, controller),
        0x02 => log_page(words),
        0x06 => identify(words),
        0x08 | 0x0c => Ok(Data::None), // Abort, Asynchronous Event Request
        0x09 | 0x0a => feature(words),
        other => Err(Reason::Opcode(other)),
    }
}

/// What a command for another queue moves.
pub fn io(words: &Words, controller: &Controller) -> Result<Data, Reason> {
    match opcode(words)? {
        0x00 | 0x08 => Ok(Data::None), // Flush, Write Zeroes
        // Write, Read, Compare
        0x01 | 0x02 | 0x05 => {
            let shift = controller.sector_shift(namespace(words)).ok_or(Reason::Namespace)?;
            // Sectors count from zero.
            Ok(Data::Bytes(((dword(words, 12) & 0xffff) + 1) << shift))
        }
        0x09 => Ok(Data::Bytes(PAGE)), // Dataset Management
        other => Err(Reason::Opcode(other)),
    }
}

/// Numbers of commands in flight are the driver's.
pub fn id(words: &Words) -> u16 {
    (words[0] >> 16) as u16
}

/// What is done, unless the command is one of two, has lists of another kind (SGL), reserved bits, or metadata.
fn opcode(words: &Words) -> Result<u8, Reason> {
    if words[0] & 0xff00 != 0 {
        return Err(Reason::Flags);
    }
    if words[METADATA] != 0 {
        return Err(Reason::Metadata);
    }
    Ok(words[0] as u8)
}

fn namespace(words: &Words) -> u32 {
    (words[0] >> 32) as u32
}

/// A doubleword of four bytes by its number in the specification, from 10 on.
fn dword(words: &Words, number: usize) -> u64 {
    let word = words.get(number / 2).copied().unwrap_or(0);
    if number.is_multiple_of(2) { word & 0xffff_ffff } else { word >> 32 }
}

/// Create I/O Submission Queue, Create I/O Completion Queue (5.4, 5.3): with the ring that the kernel has for it, whatever the pointer says.
fn create(words: &Words, controller: &mut Controller) -> Result<Data, Reason> {
    let (id, entries) = (dword(words, 10) & 0xffff, (dword(words, 10) >> 16) + 1);
    let (is_contiguous, completion_id) = (dword(words, 11) & 1 != 0, dword(words, 11) >> 16);
    let id = u16::try_from(id).ok().filter(|id| *id > 0).ok_or(Reason::Queue)?;
    let made: &mut Made = controller.queue(id).ok_or(Reason::Queue)?;
    let is_submissions = words[0] as u8 == 0x01;
    let (done, base) = if is_submissions {
        (&mut made.submissions, made.ring.base)
    } else {
        (&mut made.completions, made.ring.completions)
    };
    let is_paired = !is_submissions || completion_id == u64::from(id);
    if *done || entries != u64::from(made.ring.size) || !is_contiguous || !is_paired {
        return Err(Reason::Queue);
    }
    *done = true;
    Ok(Data::Ring(base))
}

/// Get Log Page (5.14): a page at most. Older controllers do not know the upper half of the length.
fn log_page(words: &Words) -> Result<Data, Reason> {
    let (low, high) = (dword(words, 10) >> 16, dword(words, 11) & 0xffff);
    let bytes = (low + 1) * 4;
    if high != 0 || bytes > PAGE { Err(Reason::TooLong) } else { Ok(Data::Bytes(bytes)) }
}

/// Identify (5.15): a namespace, the controller, which namespaces there are, and their names.
fn identify(words: &Words) -> Result<Data, Reason> {
    match dword(words, 10) & 0xff {
        0 => Ok(Data::Answer(Some(namespace(words)))),
        1..=3 => Ok(Data::Answer(None)),
        _ => Err(Reason::Opcode(0x06)),
    }
}

/// Set Features and Get Features (5.21, 5.13).
fn feature(words: &Words) -> Result<Data, Reason> {
    match dword(words, 10) & 0xff {
        // Arbitration, power, temperature, error recovery, write cache, number of queues, coalescing, vectors, atomicity, events.
        0x01 | 0x02 | 0x04..=0x0b => Ok(Data::None),
        0x0c => Ok(Data::Bytes(256)), // autonomous power states
        0x0e => Ok(Data::Bytes(8)),   // time
        other => Err(Reason::Feature(other as u8)),
    }
}
