//! The network adapter (5.1), with its wire on the host's side: frames in, frames out.

use std::collections::VecDeque;

use capos_mutate::Rng;

use super::{Chain, Class};
use crate::Bus;

mod header;

pub use header::{Header, Sent, checksum};

/// Features (5.1.3, 6.3), by number.
pub mod features {
    /// It fills in checksums.
    pub const CSUM: u64 = 1 << 0;
    /// It leaves them out.
    pub const GUEST_CSUM: u64 = 1 << 1;
    /// It says how long packets are.
    pub const MTU: u64 = 1 << 3;
    /// It has an address.
    pub const MAC: u64 = 1 << 5;
    /// It gives several segments as one, over IPv4.
    pub const GUEST_TSO4: u64 = 1 << 7;
    /// And over IPv6.
    pub const GUEST_TSO6: u64 = 1 << 8;
    /// It cuts into segments, over IPv4.
    pub const HOST_TSO4: u64 = 1 << 11;
    /// And over IPv6.
    pub const HOST_TSO6: u64 = 1 << 12;
    /// A frame may be in several buffers.
    pub const MRG_RXBUF: u64 = 1 << 15;
    /// It says whether its link is up.
    pub const STATUS: u64 = 1 << 16;
    /// It has a control queue.
    pub const CTRL_VQ: u64 = 1 << 17;
    /// There it is told what to receive.
    pub const CTRL_RX: u64 = 1 << 18;
    /// It has several pairs.
    pub const MQ: u64 = 1 << 22;
    /// Its address can be set.
    pub const CTRL_MAC_ADDR: u64 = 1 << 23;
    /// Legacy: pieces are as the driver likes.
    pub const ANY_LAYOUT: u64 = 1 << 27;
    /// Both sides say what they want to be told of.
    pub const EVENT_IDX: u64 = 1 << 29;
    /// It is no legacy one.
    pub const VERSION_1: u64 = 1 << 32;

    /// All of them that need no second pair.
    pub const ONE_PAIR: u64 =
        (CSUM | GUEST_CSUM | MTU | MAC | GUEST_TSO4 | GUEST_TSO6 | HOST_TSO4 | HOST_TSO6)
            | (MRG_RXBUF | STATUS | CTRL_VQ | CTRL_RX | CTRL_MAC_ADDR | ANY_LAYOUT | EVENT_IDX);
}

/// How a frame that it gives goes wrong, or the answer to a command.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NetFault {
    /// It says to be in so many buffers.
    Buffers(u16),
    /// It has these flags.
    Flags(u8),
    /// It is of this kind of segments.
    Kind(u8),
    /// So few bytes are said to be written.
    Length(u32),
    /// Its later buffers never come.
    Torn,
    /// A command is not done, and this is the answer.
    Answer(u8),
    /// A command is done, and not answered.
    Speechless,
}

/// What a good driver never makes it write down.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// Pieces are not as they have to be (5.1.6, 5.1.6.6).
    Framing(Vec<(u32, bool)>),
    /// There is too little room for what may come (5.1.6.3.1).
    Room(u32),
    /// A header asks for what was not agreed upon, or makes no sense.
    Header(Header),
    /// No such command, or one with other data than it has.
    Command(u8, u8, usize),
    /// A queue is used that is none, or not yet (5.1.6.5.6.1).
    Queue(usize),
    /// A piece is not in memory that it reaches.
    Unreachable,
}

/// A frame that comes, with what the header says of it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frame {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Flags of the header.
    pub flags: u8,
    /// Its kind of segments.
    pub kind: u8,
    /// The pair that gets it.
    pub pair: usize,
}

/// The adapter.
#[derive(Debug)]
pub struct Nic {
    /// What it has.
    pub features: u64,
    /// Its configuration, as [`Nic::new`] wrote it.
    pub config: [u8; 12],
    /// Sizes of its queues.
    pub queues: Vec<u16>,
    /// Frames on their way to the driver.
    pub wire: VecDeque<Frame>,
    /// Frames that the driver has sent.
    pub sent: Vec<Sent>,
    /// Faults of the frame or command of that number, counted from 0 over all resets.
    pub faults: Vec<(u32, NetFault)>,
    /// Any fault, in one of so many.
    pub random: Option<(Rng, u32)>,
    /// Whether it receives all, and all groups; the addresses that it receives besides.
    pub modes: [bool; 2],
    /// Stations, and groups.
    pub table: [Vec<[u8; 6]>; 2],
    /// Pairs that the driver uses.
    pub pairs: usize,
    /// What was wrong.
    pub wrong: Vec<Wrong>,
    /// What was agreed upon.
    agreed: u64,
    /// Buffers of each queue.
    kept: Vec<VecDeque<Chain>>,
    acts: u32,
}

impl Nic {
    /// With an address, a link, and all features of one pair.
    pub fn new() -> Nic {
        let mut nic = Nic {
            features: features::ONE_PAIR,
            config: [0; 12],
            queues: vec![256, 256, 64],
            wire: VecDeque::new(),
            sent: Vec::new(),
            faults: Vec::new(),
            random: None,
            modes: [true, false],
            table: [Vec::new(), Vec::new()],
            pairs: 1,
            wrong: Vec::new(),
            agreed: 0,
            kept: Vec::new(),
            acts: 0,
        };
        nic.put(0, &[0x52, 0x54, 0, 0x12, 0x34, 0x56]);
        nic.put(6, &1u16.to_le_bytes());
        nic.put(8, &1u16.to_le_bytes());
        nic.put(10, &1500u16.to_le_bytes());
        nic
    }

    /// The same with so many pairs.
    pub fn with_pairs(pairs: u16) -> Nic {
        let mut nic = Nic::new();
        nic.features |= features::MQ;
        nic.queues = [vec![256; 2 * usize::from(pairs)], vec![64]].concat();
        nic.put(8, &pairs.to_le_bytes());
        nic
    }

    /// Writes a field of the configuration.
    pub fn put(&mut self, offset: usize, bytes: &[u8]) {
        self.config[offset..][..bytes.len()].copy_from_slice(bytes);
    }

    /// A frame comes for the first pair.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.wire.push_back(Frame { bytes: bytes.to_vec(), ..Frame::default() });
    }

    fn has(&self, features: u64) -> bool {
        self.agreed & features != 0
    }

    /// Bytes of a header, and whether it may be in one piece with its frame.
    fn framing(&self) -> (usize, bool) {
        let length = if self.has(features::VERSION_1 | features::MRG_RXBUF) { 12 } else { 10 };
        (length, self.has(features::VERSION_1 | features::ANY_LAYOUT))
    }

    /// Of the next frame or command.
    fn fault(&mut self, is_command: bool) -> Option<NetFault> {
        let number = self.acts;
        self.acts += 1;
        if let Some((_, fault)) = self.faults.iter().find(|(at, _)| *at == number) {
            return Some(*fault);
        }
        let (rng, rarity) = self.random.as_mut()?;
        if !rng.chance(1, *rarity) {
            return None;
        }
        let (any, small) = (rng.edge() as u32, rng.below(16));
        let frames = [
            NetFault::Buffers(any as u16),
            NetFault::Buffers(small as u16),
            NetFault::Flags(any as u8),
            NetFault::Kind(small as u8),
            NetFault::Length(small),
            NetFault::Torn,
        ];
        let commands = [NetFault::Answer(any as u8), NetFault::Answer(1), NetFault::Speechless];
        if is_command { rng.pick(&commands) } else { rng.pick(&frames) }
    }

    /// Whether a buffer is as it has to be to be filled.
    fn keep(&mut self, queue: usize, chain: &Chain) {
        let (header, is_one) = self.framing();
        let form: Vec<_> = chain.pieces.iter().map(|piece| (piece.length, piece.writable)).collect();
        let is_framed = match form.as_slice() {
            [(_, true)] => is_one,
            [(first, true), (_, true)] => is_one || *first as usize == header,
            _ => false,
        };
        if !is_framed {
            self.wrong.push(Wrong::Framing(form));
        }
        let least = if self.has(features::MRG_RXBUF) { header as u32 } else { 1514 + header as u32 };
        if chain.writable() < least {
            self.wrong.push(Wrong::Room(chain.writable()));
        }
        self.kept[queue].push_back(chain.clone());
    }

    /// Gives a frame, if there are buffers for it: which ones, and what was written there. Without, it is lost.
    fn give(&mut self, frame: &Frame, bus: &Bus) -> Vec<(Chain, u32)> {
        let (header, _) = self.framing();
        let kept = &mut self.kept[2 * frame.pair];
        let (mut rooms, mut count) = (0, 0);
        while rooms < header + frame.bytes.len() && count < kept.len() {
            rooms += kept[count].writable() as usize;
            count += 1;
        }
        let fits = rooms >= header + frame.bytes.len() && (count <= 1 || self.has(features::MRG_RXBUF));
        let chains: Vec<Chain> =
            if fits { self.kept[2 * frame.pair].drain(..count).collect() } else { vec![] };
        if chains.is_empty() {
            return Vec::new();
        }
        let fault = self.fault(false);
        let mut words =
            Header { flags: frame.flags, kind: frame.kind, buffers: count as u16, ..Header::default() };
        match fault {
            Some(NetFault::Buffers(buffers)) => words.buffers = buffers,
            Some(NetFault::Flags(flags)) => words.flags = flags,
            Some(NetFault::Kind(kind)) => words.kind = kind,
            _ => {}
        }
        let bytes = [&words.bytes()[..header], &frame.bytes].concat();
        let mut rest = bytes.as_slice();
        let mut filled = Vec::new();
        for (n, chain) in chains.into_iter().enumerate() {
            let (now, later) = rest.split_at(rest.len().min(chain.writable() as usize));
            let written = chain.write(bus, now);
            self.wrong.extend((written < now.len() as u32).then_some(Wrong::Unreachable));
            let length = if let Some(NetFault::Length(length)) = fault { length } else { written };
            if n == 0 || fault != Some(NetFault::Torn) {
                filled.push((chain, length));
            }
            rest = later;
        }
        filled
    }

    /// Sends a frame as its header wants it.
    fn send(&mut self, chain: &Chain, bus: &Bus) {
        let (length, is_one) = self.framing();
        let form: Vec<_> = chain.pieces.iter().map(|piece| (piece.length, piece.writable)).collect();
        let is_framed = form.iter().all(|(_, writable)| !writable)
            && (is_one || form.first().is_some_and(|(first, _)| *first as usize == length) && form.len() > 1);
        let Some(bytes) = chain.read(bus) else { return self.wrong.push(Wrong::Unreachable) };
        if !is_framed || bytes.len() < length + 14 {
            return self.wrong.push(Wrong::Framing(form));
        }
        let (header, frame) = bytes.split_at(length);
        let header = Header::of(header);
        match header.apply(frame, self.agreed) {
            Some(sent) => self.sent.push(sent),
            None => self.wrong.push(Wrong::Header(header)),
        }
    }

    /// Does a command, and gives the answer.
    fn command(&mut self, chain: &Chain, bus: &Bus) -> Option<u32> {
        let fault = self.fault(true);
        let form: Vec<_> = chain.pieces.iter().map(|piece| (piece.length, piece.writable)).collect();
        let is_framed = matches!(form.as_slice(), [(2, false), rest @ .., (1, true)] if !rest.is_empty());
        let bytes = chain.read(bus).filter(|_| is_framed);
        let Some((class, command, data)) =
            bytes.as_deref().and_then(|it| Some((*it.first()?, *it.get(1)?, &it[2..])))
        else {
            self.wrong.push(Wrong::Framing(form));
            return Some(chain.write(bus, &[1]));
        };
        let answer = match fault {
            Some(NetFault::Answer(answer)) => Some(answer),
            _ => {
                let is_done = self.act(class, command, data, form.len()).is_some();
                if !is_done {
                    self.wrong.push(Wrong::Command(class, command, data.len()));
                }
                (fault != Some(NetFault::Speechless)).then_some(u8::from(!is_done))
            }
        };
        chain.write(bus, answer.as_slice());
        Some(1)
    }

    fn act(&mut self, class: u8, command: u8, data: &[u8], pieces: usize) -> Option<()> {
        let is_agreed = match class {
            0 => self.has(features::CTRL_RX),
            1 if command == 0 => self.has(features::CTRL_RX),
            1 => self.has(features::CTRL_MAC_ADDR),
            4 => self.has(features::MQ),
            _ => false,
        };
        match (class, command, data) {
            _ if !is_agreed => return None,
            (0, mode @ (0 | 1), [is_on @ (0 | 1)]) => self.modes[usize::from(mode)] = *is_on == 1,
            (1, 0, tables) if pieces == 4 => {
                let (stations, rest) = table(tables)?;
                let (groups, rest) = table(rest)?;
                if !rest.is_empty() || stations.len() + groups.len() > 64 {
                    return None;
                }
                self.table = [stations, groups];
            }
            (1, 1, address) => {
                self.config[..6].copy_from_slice(address.get(..6).filter(|_| address.len() == 6)?)
            }
            (4, 0, [low, high]) => {
                let (pairs, most) = (u16::from_le_bytes([*low, *high]), usize::from(self.most_pairs()));
                if !(1..=most).contains(&usize::from(pairs)) {
                    return None;
                }
                self.pairs = pairs.into();
            }
            _ => return None,
        }
        Some(())
    }

    fn most_pairs(&self) -> u16 {
        if self.has(features::MQ) { u16::from_le_bytes([self.config[8], self.config[9]]) } else { 1 }
    }
}

impl Default for Nic {
    fn default() -> Self {
        Nic::new()
    }
}

/// A table of addresses, and what is behind it.
fn table(bytes: &[u8]) -> Option<(Vec<[u8; 6]>, &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let length = (u32::from_le_bytes(*count) as usize).checked_mul(6)?;
    let (addresses, rest) = rest.split_at_checked(length)?;
    Some((addresses.as_chunks().0.to_vec(), rest))
}

impl Class for Nic {
    fn features(&self) -> u64 {
        self.features
    }
    fn queues(&self) -> &[u16] {
        &self.queues
    }
    fn config(&mut self) -> Vec<u8> {
        self.config.to_vec()
    }
    fn begin(&mut self, features: u64) {
        self.agreed = features;
        self.kept = vec![VecDeque::new(); self.queues.len()];
        (self.modes, self.table, self.pairs) = ([true, false], Default::default(), 1);
        self.wire.clear();
    }
    fn serve(&mut self, queue: usize, chain: &Chain, bus: &Bus) -> Option<u32> {
        let control = 2 * usize::from(self.most_pairs());
        if queue == control && self.has(features::CTRL_VQ) {
            return self.command(chain, bus);
        }
        if queue >= 2 * self.pairs {
            self.wrong.push(Wrong::Queue(queue));
        }
        if queue.is_multiple_of(2) {
            self.keep(queue, chain);
            return None;
        }
        self.send(chain, bus);
        Some(0)
    }
    fn through(&mut self, queue: usize, bus: &Bus) -> Vec<(Chain, u32)> {
        let mut filled = Vec::new();
        let (now, later) = self.wire.drain(..).partition(|frame: &Frame| 2 * frame.pair == queue);
        self.wire = later;
        for frame in now {
            filled.extend(self.give(&frame, bus));
        }
        filled
    }
}
