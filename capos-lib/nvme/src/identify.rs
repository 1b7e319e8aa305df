//! What a controller says of itself (5.15.2).

use crate::memory::Memory;
use crate::register::Capabilities;
use crate::{DeviceFault, Layout, PAGE};
use core::fmt;

/// The page of answers. The device may write it at any time, so what matters is read once.
pub struct Answer<'a, M> {
    memory: &'a M,
    begin: u32,
}

impl<'a, M: Memory> Answer<'a, M> {
    /// That of queue 0.
    pub fn new(memory: &'a M, layout: Layout) -> Self {
        Answer { memory, begin: layout.answers() }
    }

    /// The word of eight bytes in which that byte is.
    fn word(&self, at: u32) -> u64 {
        self.memory.read64(self.begin + (at & (PAGE - 8)))
    }

    pub fn read64(&self, at: u32) -> u64 {
        self.word(at)
    }

    pub fn read32(&self, at: u32) -> u32 {
        (self.word(at) >> ((at & 4) * 8)) as u32
    }

    pub fn read16(&self, at: u32) -> u16 {
        (self.word(at) >> ((at & 6) * 8)) as u16
    }

    pub fn read8(&self, at: u32) -> u8 {
        (self.word(at) >> ((at & 7) * 8)) as u8
    }

    fn text<const N: usize>(&self, at: u32) -> Text<N> {
        let mut places = at..;
        Text::new([(); N].map(|()| self.read8(places.next().unwrap_or(at))))
    }
}

/// Characters that the device chose: what is none of ASCII's that can be printed is a dot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Text<const N: usize>([u8; N]);

impl<const N: usize> Text<N> {
    fn new(bytes: [u8; N]) -> Self {
        // Filled up with blanks (1.5), in QEMU's strings with zeros.
        let end = bytes.iter().rposition(|byte| !matches!(byte, b' ' | 0)).map_or(0, |last| last + 1);
        let mut at = 0..;
        Text(bytes.map(|byte| match at.next() {
            Some(at) if at >= end => b' ',
            _ if byte.is_ascii_graphic() || byte == b' ' => byte,
            _ => b'.',
        }))
    }

    /// Without what it was filled up with.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.0).unwrap_or_default().trim_end_matches(' ')
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Who the controller is, and what it can do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Identity {
    /// Serial number.
    pub serial: Text<20>,
    /// Model.
    pub model: Text<40>,
    /// Version of its firmware.
    pub firmware: Text<8>,
    /// Bytes of one transfer, if there is a limit (MDTS).
    pub most: Option<u64>,
    /// Version of the specification.
    pub version: u32,
    /// Aborts that it takes at a time.
    pub aborts: u16,
    /// It keeps in memory what was written (VWC).
    pub cache: bool,
    /// It knows Dataset Management.
    pub dataset: bool,
    /// It knows Write Zeroes.
    pub zeroes: bool,
    /// Which events it can tell of (OAES).
    pub events: u32,
}

impl Identity {
    /// From the answer about the controller.
    ///
    /// # Errors
    /// It is none that we can drive.
    pub fn read<M: Memory>(answer: &Answer<'_, M>, capabilities: Capabilities) -> Result<Self, DeviceFault> {
        // What kind it is older controllers do not say.
        match answer.read8(111) {
            0 | 1 => {}
            kind => return Err(DeviceFault::Type(kind)),
        }
        // The least and the most, as binary logarithms, of a command's bytes and of a completion's.
        let sizes = [(answer.read8(512), 6), (answer.read8(513), 4)];
        if sizes.iter().any(|(range, size)| range & 15 > *size || range >> 4 < *size) {
            return Err(DeviceFault::EntrySize);
        }
        // In units of the smallest page.
        let (limit, page) = (u32::from(answer.read8(77)), 12 + u32::from(capabilities.page_shift()));
        let optional = answer.read16(520);
        Ok(Identity {
            serial: answer.text(4),
            model: answer.text(24),
            firmware: answer.text(64),
            most: (limit > 0).then(|| 1u64.checked_shl(limit + page).unwrap_or(u64::MAX)),
            version: answer.read32(80),
            aborts: u16::from(answer.read8(258)) + 1,
            cache: answer.read8(525) & 1 != 0,
            dataset: optional & 1 << 2 != 0,
            zeroes: optional & 1 << 3 != 0,
            events: answer.read32(92),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Text;

    #[test]
    fn what_the_device_calls_itself_can_be_printed() {
        assert_eq!(Text::new(*b"QEMU NVMe   ").as_str(), "QEMU NVMe");
        assert_eq!(Text::new(*b"a\0\0 \0").as_str(), "a");
        assert_eq!(Text::new(*b"a\0b\x1b[2J\xff ").as_str(), "a.b.[2J.");
        assert_eq!(Text::new([0; 8]).as_str(), "");
    }
}
