//! The model. It is strict: what it may suppose of its driver and does not find is a violation.

use crate::Bus;
use std::collections::BTreeMap;

const CTRL: u32 = 0x0000;
const STATUS: u32 = 0x0008;
const ICR: u32 = 0x00c0;
const IMS: u32 = 0x00d0;
const IMC: u32 = 0x00d8;
const RCTL: u32 = 0x0100;
const TCTL: u32 = 0x0400;
const RDBAL: u32 = 0x2800;
const TDBAL: u32 = 0x3800;
const RXCSUM: u32 = 0x5000;
const MTA: std::ops::Range<u32> = 0x5200..0x5400;
const RAL: u32 = 0x5400;
const RAH: u32 = 0x5404;

const ENABLE: u32 = 2;

/// From where a ring begins: bytes, head, tail.
const LENGTH: u32 = 8;
const HEAD: u32 = 0x10;
const TAIL: u32 = 0x18;

/// The one way in which a device is faulty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Nothing answers.
    Gone,
    /// It says that it has no address.
    NoAddress,
    /// It says that it wrote so many bytes.
    Length(u16),
    /// A frame goes on in the next buffer.
    Parts,
    /// It does not send.
    Silent,
    /// Whatever it has, it is through with, and says so before it was told.
    Eager,
}

/// One.
pub struct Device {
    /// Its way to memory.
    pub bus: Bus,
    /// What it has sent.
    pub sent: Vec<Vec<u8>>,
    /// What its driver did that a driver does not do.
    pub violations: Vec<String>,
    /// How it is faulty.
    pub fault: Option<Fault>,
    /// There is a link.
    pub link: bool,
    words: BTreeMap<u32, u32>,
    mac: [u8; 6],
    /// Where the sum of the next frames begins, where it goes, and that it is TCP's.
    context: Option<(usize, usize, bool)>,
}

/// The sum of sixteen bits (RFC 1071) of these bytes.
pub fn checksum(bytes: &[u8]) -> u16 {
    let pairs = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = pairs.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

impl Device {
    /// After a reset.
    pub fn new(bus: Bus, mac: [u8; 6]) -> Device {
        // Groups are what they were, whatever a reset does.
        let words = MTA.step_by(4).map(|at| (at, 0x5a5a_5a5a)).collect();
        let (sent, violations) = (Vec::new(), Vec::new());
        Device { bus, sent, violations, fault: None, link: true, words, mac, context: None }
    }

    fn word(&self, offset: u32) -> u32 {
        self.words.get(&offset).copied().unwrap_or(0)
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn violated(&mut self, what: &str) {
        self.violations.push(what.to_owned());
    }

    /// Reads a register.
    pub fn read(&mut self, offset: u32) -> u32 {
        if self.is(Fault::Gone) {
            return u32::MAX;
        }
        let [a, b, c, d, e, f] = self.mac;
        match offset {
            STATUS => u32::from(self.link) << 1 | 2 << 6 | 1,
            // To read it is to clear it.
            ICR => self.words.remove(&ICR).unwrap_or(0),
            RAL => u32::from_le_bytes([a, b, c, d]),
            RAH => u32::from_le_bytes([e, f, 0, 0]) | if self.is(Fault::NoAddress) { 0 } else { 1 << 31 },
            _ => self.word(offset),
        }
    }

    /// Writes one.
    pub fn write(&mut self, offset: u32, value: u32) {
        let before = self.word(offset);
        let value = match offset {
            ICR => before & !value,
            IMS => before | value,
            IMC => {
                self.words.insert(IMS, self.word(IMS) & !value);
                0
            }
            _ => value,
        };
        self.words.insert(offset, value);
        match offset {
            RCTL if value & ENABLE != 0 && !self.is_clean() => self.violated("it receives groups of before"),
            RCTL | TCTL if before & ENABLE != 0 && value & ENABLE == 0 => self.violated("stopped at work"),
            CTRL if value & 1 << 6 == 0 => self.violated("the link is not set up"),
            _ => {}
        }
        for ring in [RDBAL, TDBAL] {
            if offset == ring + TAIL && value * 16 >= self.word(ring + LENGTH).max(1) {
                self.violated("a tail beyond its ring");
            }
        }
    }

    fn is_clean(&self) -> bool {
        MTA.step_by(4).all(|at| self.word(at) == 0)
    }

    /// Whether it interrupts.
    pub fn interrupts(&self) -> bool {
        self.word(ICR) & self.word(IMS) != 0
    }

    /// The link comes or goes.
    pub fn set_link(&mut self, link: bool) {
        self.link = link;
        self.cause(1 << 2);
    }

    fn cause(&mut self, bits: u32) {
        self.words.insert(ICR, self.word(ICR) | bits);
    }

    /// The next descriptor of a ring that is its own: where it lies, and its words.
    fn next(&mut self, ring: u32) -> Option<(u64, [u64; 2])> {
        let head = self.word(ring + HEAD);
        if head == self.word(ring + TAIL) {
            return None;
        }
        let base = u64::from(self.word(ring)) | u64::from(self.word(ring + 4)) << 32;
        let at = base + 16 * u64::from(head);
        let bytes = self.bus.read(at, 16).expect("the ring is there");
        let (words, _) = bytes.as_chunks::<8>();
        let size = self.word(ring + LENGTH) / 16;
        self.words.insert(ring + HEAD, (head + 1) % size);
        Some((at, [u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1])]))
    }

    fn is_wanted(&self, frame: &[u8]) -> bool {
        let control = self.word(RCTL);
        let group = frame.first().is_some_and(|first| first & 1 != 0);
        let all = control & if group { 1 << 4 } else { 1 << 3 } != 0;
        all || frame.starts_with(&self.mac) || frame.starts_with(&[0xff; 6]) && control & 1 << 15 != 0
    }

    /// A frame comes; its sums of TCP or UDP are right, wrong, or were not looked at. True when it has taken it.
    pub fn deliver(&mut self, frame: &[u8], is_right: Option<bool>) -> bool {
        if self.word(RCTL) & ENABLE == 0 || !self.link || !self.is_wanted(frame) || frame.len() > 1518 {
            return false;
        }
        let Some((at, [address, second])) = self.next(RDBAL) else { return false };
        if second & 1 << 32 != 0 {
            self.violated("a buffer that is full already");
        }
        assert!(self.bus.write(address, frame), "the buffer is there");
        let length = match self.fault {
            Some(Fault::Length(length)) => length.into(),
            _ => frame.len() as u64,
        };
        let end = if self.is(Fault::Parts) { 0 } else { 1 << 33 };
        let sums = match is_right.filter(|_| self.word(RXCSUM) & 1 << 9 != 0) {
            None => 1 << 34,
            Some(true) => 1 << 37 | 1 << 38,
            Some(false) => 1 << 37 | 1 << 45,
        };
        self.put(at + 8, length | 1 << 32 | end | sums);
        self.cause(1 << 7);
        true
    }

    fn put(&mut self, at: u64, word: u64) {
        assert!(self.bus.write(at, &word.to_le_bytes()), "the ring is there");
    }

    /// Sends what there is to be sent.
    pub fn run(&mut self) {
        if self.is(Fault::Eager) {
            self.claim_all();
        }
        // Without a link it keeps what it has.
        if self.word(TCTL) & ENABLE == 0 || self.is(Fault::Silent) || !self.link {
            return;
        }
        while let Some((at, [first, second])) = self.next(TDBAL) {
            if second & 1 << 29 == 0 || second & 1 << 27 == 0 {
                self.violated("a form that nobody reports");
            }
            let byte = |shift: u32| (first >> shift) as u8;
            if second & 1 << 20 == 0 {
                self.context = Some((byte(32).into(), byte(40).into(), second & 1 << 24 != 0));
            } else {
                self.send(first, second);
            }
            self.put(at + 8, second | 1 << 32);
            self.cause(1);
        }
    }

    fn send(&mut self, address: u64, second: u64) {
        let mut bytes = self.bus.read(address, (second & 0xf_ffff) as usize).expect("the frame is there");
        if second & 1 << 41 != 0 {
            let Some((start, place, is_tcp)) = self.context else { return self.violated("no context") };
            if place + 2 > bytes.len() || start > bytes.len() {
                return self.violated("a sum beyond its frame");
            }
            let sum = match checksum(&bytes[start..]) {
                0 if !is_tcp => 0xffff,
                sum => sum,
            };
            bytes[place..place + 2].copy_from_slice(&sum.to_be_bytes());
        }
        self.sent.push(bytes);
    }

    /// Every descriptor of both rings is written back.
    fn claim_all(&mut self) {
        for ring in [RDBAL, TDBAL] {
            let base = u64::from(self.word(ring)) | u64::from(self.word(ring + 4)) << 32;
            for n in 0..u64::from(self.word(ring + LENGTH) / 16) {
                self.put(base + 16 * n + 8, 60 | 1 << 32 | 1 << 33);
            }
        }
    }
}
