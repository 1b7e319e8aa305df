//! The whole network stack between a friend, whose wire is sound, and a stranger on the same network, who sends what he likes: frames as they should
//! be, for the connections, questions and leases that there are, changed here and there, and sums put right mostly.
//!
//! Input: what the network is like, and operations. Nothing the stranger does has the stack panic, go round without end, or keep more and more; and the
//! connection of the friend still carries its bytes. What only a switch could keep from a stranger (to say that he is the friend) he does not do.
#![no_main]

use capos_net::dns::{Family, answer, question};
use capos_net::names::Names;
use capos_net::sntp;
use capos_net::stack::{FlowId, Link, ListenerId, Offloads, Read, Rooms, Settings, Stack, Written};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, Icmpv4Packet, Icmpv6Packet, IpAddress, IpProtocol, Ipv4Packet,
    Ipv6Packet, TcpPacket, UdpPacket,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;

/// Whom frames are from and for.
#[derive(Clone, Copy)]
struct Station {
    mac: [u8; 6],
    v4: [u8; 4],
    v6: [u8; 16],
}

const fn station(n: u8) -> Station {
    let v6 = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xfe, 0, 0, n];
    Station { mac: [2, 0, 0, 0, 0, n], v4: [10, 0, 0, n], v6 }
}

const STACK: Station = station(1);
const FRIEND: Station = station(2);
const STRANGER: Station = station(66);

const ROOMS: Rooms = Rooms { receive: 1024, send: 1024 };

/// Bytes that all buffers may have.
const MEMORY: usize = 64 << 10;

/// The ports at which the stack listens, and hears datagrams.
const ECHO: u16 = 7;

/// Connections of the stranger's that the application keeps.
const MOST: usize = 4;

/// The friend's bytes come within that time, whatever the stranger did before.
const PATIENCE: u64 = 200 * S;

/// Frames of strangers in all runs: a campaign says how many there were.
static FRAMES: AtomicU64 = AtomicU64::new(0);

const NAME: &str = "host.example";

fuzz_target!(|bytes: &[u8]| {
    // Ends when the input does.
    let mut input = Unstructured::new(bytes);
    let Ok(mut world) = World::new(&mut input) else { return };
    let _ = world.run(&mut input);
    world.room = 64;
    world.prove();
    world.wait(100 * S);
    world.prove();
});

/// Frames that a stack gives out.
struct Out {
    frames: Vec<Vec<u8>>,
    room: usize,
}

impl Link for Out {
    fn has_room(&self) -> bool {
        self.frames.len() < self.room
    }

    fn send<R>(&mut self, length: usize, _: Option<NonZeroU16>, fill: impl FnOnce(&mut [u8]) -> R) -> R {
        assert!(length <= 1514);
        let mut frame = vec![0; length];
        let result = fill(&mut frame);
        if self.has_room() {
            self.frames.push(frame);
        }
        result
    }
}

/// What the stranger has heard.
#[derive(Default)]
struct Heard {
    /// By address, his port and the stack's: what the stack sends next, and what it has.
    segments: BTreeMap<(bool, u16, u16), (u32, u32)>,
    /// The last question for an address, for a name and for the time: what has to be given back, and to which port.
    lease: [u8; 4],
    name: (u16, [u8; 2]),
    time: (u16, [u8; 8]),
    ping: [u8; 2],
}

struct World {
    stack: Stack,
    friend: Stack,
    now: u64,
    room: usize,
    listener: ListenerId,
    /// The friend's connection: his end, and the stack's, with what is to be sent back.
    ours: FlowId,
    theirs: Option<FlowId>,
    owed: Vec<u8>,
    said: u8,
    strangers: Vec<FlowId>,
    datagrams: FlowId,
    echo: FlowId,
    /// Who asks for names and the time.
    asks: Vec<FlowId>,
    names: Names,
    heard: Heard,
}

impl World {
    fn new(input: &mut Unstructured<'_>) -> Result<World> {
        let (is_v6, uses_dhcp): (bool, bool) = input.arbitrary()?;
        let seed = input.arbitrary::<u8>()?.into();
        let stack =
            |station: Station, seed| Stack::new(station.mac, 1500, Offloads::default(), MEMORY, [seed, 1], 0);
        let (mut stack, mut friend) = (stack(STACK, seed), stack(FRIEND, seed + 1));
        let settings = |station: Station| Settings {
            address: station.v4.into(),
            prefix: 24,
            router: Some(STRANGER.v4.into()),
        };
        friend.use_address(&settings(FRIEND));
        stack.use_address(&settings(STACK));
        let listener = stack.listen(ECHO, ROOMS, 4).expect("nobody else does");
        let datagrams = stack.bind(ECHO, ROOMS).expect("nobody else has");
        let echo = stack.open_echo().expect("there is room");
        // The stranger may change addresses of version 4 where the stack asks for them.
        let is_v6 = is_v6 || uses_dhcp;
        let to: IpAddr = if is_v6 { STACK.v6.into() } else { STACK.v4.into() };
        let ours = friend.connect(SocketAddr::new(to, ECHO), ROOMS).expect("there is a way");
        let mut world = World {
            stack,
            friend,
            now: S,
            room: 64,
            listener,
            ours,
            theirs: None,
            owed: Vec::new(),
            said: 0,
            strangers: Vec::new(),
            datagrams,
            echo,
            asks: Vec::new(),
            names: Names::new(4),
            heard: Heard::default(),
        };
        world.turn();
        if uses_dhcp {
            world.stack.use_dhcp();
        }
        world.greet();
        world.prove();
        Ok(world)
    }

    /// The stranger says where he is.
    fn greet(&mut self) {
        let arp = [&[0, 1, 8, 0, 6, 4, 0, 2][..], &STRANGER.mac, &STRANGER.v4, &STACK.mac, &STACK.v4];
        self.arrive(&ether(0x0806, &arp.concat()));
        let option: &[u8] = &[2, 1, 2, 0, 0, 0, 0, 66];
        let message = [&[136, 0, 0, 0, 0x60, 0, 0, 0][..], &STRANGER.v6, option].concat();
        let mut frame = v6(58, 255, &message);
        mend(&mut frame);
        self.arrive(&frame);
    }

    fn run(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        while !input.is_empty() {
            match input.int_in_range(0..=15)? {
                0 => {
                    let time = u64::from(input.arbitrary::<u8>()?).pow(2) * 2 * MS;
                    // An adapter that sends nothing for minutes ends connections.
                    self.room = if time > 5 * S { 64 } else { self.room };
                    self.wait(time);
                }
                1 => self.applies(input)?,
                2 => self.room = input.int_in_range(0..=4)?,
                3 => self.room = 64,
                4 => self.greet(),
                5 if self.room > 4 => self.prove(),
                _ => self.attack(input)?,
            }
            self.judge();
        }
        Ok(())
    }

    /// What the stack keeps has a limit, which does not depend on how many frames came.
    fn judge(&self) {
        let (sockets, entries) = (self.stack.sockets(), self.stack.entries());
        assert!(sockets <= MEMORY / ROOMS.bytes() + 1, "{sockets} sockets");
        assert!(entries <= 12 * (MEMORY / ROOMS.bytes()) + 300, "{entries} entries");
        assert!(self.stack.addresses().count() <= 8 && self.stack.name_servers().len() <= 8);
    }

    /// What an application does with the stranger.
    fn applies(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let is_v6: bool = input.arbitrary()?;
        let to: IpAddr = if is_v6 { STRANGER.v6.into() } else { STRANGER.v4.into() };
        match input.int_in_range(0..=8)? {
            0 => {
                if let Ok(id) = self.stack.connect(SocketAddr::new(to, 80), ROOMS) {
                    self.strangers.push(id);
                }
            }
            1 => _ = self.stack.ping(self.echo, to, 1, &[7; 40]),
            2 => {
                let length = input.int_in_range(0..=1000)?;
                let to = SocketAddr::new(to, 9);
                let _ = self.stack.send_datagram(self.datagrams, to, &vec![3; length], Waker::noop());
            }
            3 => self.ask(SocketAddr::new(to, 53), &question(0x1234, NAME, Family::V4).expect("a name")),
            4 => self.ask(SocketAddr::new(to, sntp::PORT), &sntp::ask(77)),
            5 => self.stack.link_is_back(),
            n => {
                if let Some(id) = self.strangers.first().copied() {
                    match n {
                        6 => self.stack.shut(id),
                        7 => _ = self.stack.write(id, &[9; 700], Waker::noop()),
                        _ => {
                            self.strangers.remove(0);
                            self.stack.leave(id);
                        }
                    }
                }
            }
        }
        self.turn();
        Ok(())
    }

    fn ask(&mut self, to: SocketAddr, packet: &[u8]) {
        let bound = self.stack.any_port().and_then(|port| self.stack.bind(port, ROOMS));
        if let Some(id) = bound {
            let _ = self.stack.send_datagram(id, to, packet, Waker::noop());
            self.asks.push(id);
        }
        if self.asks.len() > 2 {
            self.stack.unbind(self.asks.remove(0));
        }
    }

    /// The application goes on with whatever came.
    fn serve(&mut self) {
        while let Some(id) = self.stack.accept(self.listener, Waker::noop()) {
            // The friend is the first one.
            match self.theirs {
                None => self.theirs = Some(id),
                Some(_) => self.strangers.push(id),
            }
        }
        while self.strangers.len() > MOST {
            let id = self.strangers.remove(0);
            self.stack.leave(id);
        }
        let mut bytes = [0; 512];
        for id in &self.strangers {
            self.stack.watch(*id);
            if let Read::Bytes(count) = self.stack.read(*id, &mut bytes, Waker::noop()) {
                let _ = self.stack.write(*id, &bytes[..count], Waker::noop());
            }
        }
        while self.stack.next_ready().is_some() {}
        self.hear(&mut bytes);
        let Some(theirs) = self.theirs else { return };
        match self.stack.read(theirs, &mut bytes, Waker::noop()) {
            Read::Bytes(count) => self.owed.extend(&bytes[..count]),
            Read::Nothing => {}
            other => panic!("the friend's connection: {other:?}"),
        }
        match self.stack.write(theirs, &self.owed, Waker::noop()) {
            Written::Bytes(count) => _ = self.owed.drain(..count),
            Written::Nothing => {}
            other => panic!("the friend's connection: {other:?}"),
        }
    }

    fn hear(&mut self, bytes: &mut [u8]) {
        while let Some(came) = self.stack.receive_datagram(self.datagrams, bytes, Waker::noop()) {
            let length = came.length.min(bytes.len());
            let _ = self.stack.send_datagram(self.datagrams, came.from, &bytes[..length], Waker::noop());
        }
        while self.stack.pong(self.echo, Waker::noop()).is_some() {}
        for id in &self.asks {
            while let Some(came) = self.stack.receive_datagram(*id, bytes, Waker::noop()) {
                let said = &bytes[..came.length.min(bytes.len())];
                if let Some(capos_net::dns::Answer::Addresses(all, seconds)) =
                    answer(said, 0x1234, NAME, Family::V4)
                {
                    self.names.learn(NAME, &all, seconds, self.now);
                    let _ = self.names.find(NAME, self.now);
                }
                let _ = sntp::answer(said, 77, self.now, self.now);
            }
        }
    }

    /// Lets both stacks send, until nobody has anything to send at this time.
    fn turn(&mut self) {
        for round in 0.. {
            assert!(round < 200, "without end");
            self.serve();
            let mut out = Out { frames: Vec::new(), room: self.room };
            self.stack.turn(&mut out, self.now);
            let mut back = Out { frames: Vec::new(), room: 64 };
            self.friend.turn(&mut back, self.now);
            self.friend_hears(&mut out.frames, &mut back);
            for frame in &mut back.frames {
                let mut out = Out { frames: Vec::new(), room: 64 };
                self.stack.take_in(frame, false, &mut out, self.now);
                self.friend_hears(&mut out.frames, &mut Out { frames: Vec::new(), room: 0 });
            }
            if out.frames.is_empty() && back.frames.is_empty() {
                return;
            }
        }
    }

    fn friend_hears(&mut self, frames: &mut [Vec<u8>], back: &mut Out) {
        for frame in frames {
            self.overhear(frame);
            let to = frame.first_chunk::<6>().expect("a whole header");
            if to[0] & 1 != 0 || *to == FRIEND.mac {
                self.friend.take_in(frame, false, back, self.now);
            }
        }
    }

    /// Time goes by.
    fn wait(&mut self, time: u64) {
        let end = self.now + time;
        for steps in 0u64.. {
            self.turn();
            let due = [self.stack.deadline(), self.friend.deadline()];
            let next = due.into_iter().flatten().min().unwrap_or(u64::MAX);
            if next >= end {
                break;
            }
            assert!(
                steps < 1000 + time / (5 * MS),
                "always awake: {due:?} at {}, room {}",
                self.now,
                self.room
            );
            // A timer that is over, and goes on being over, is one that a pump would go round for.
            self.now = next.max(self.now + MS / 100);
        }
        self.now = end;
        self.turn();
    }

    /// The friend's connection carries bytes both ways.
    fn prove(&mut self) {
        self.said = self.said.wrapping_add(1);
        let bytes: Vec<u8> = (0..100).map(|n: u8| n ^ self.said).collect();
        assert_eq!(self.friend.write(self.ours, &bytes, Waker::noop()), Written::Bytes(100));
        let (end, mut came) = (self.now + PATIENCE, Vec::<u8>::new());
        loop {
            self.turn();
            let mut some = [0; 100];
            match self.friend.read(self.ours, &mut some, Waker::noop()) {
                Read::Bytes(count) => came.extend(&some[..count]),
                Read::Nothing => {}
                other => panic!("the friend's connection: {other:?}"),
            }
            if came.len() >= 100 {
                break;
            }
            assert!(self.now < end, "the friend waits");
            self.wait(50 * MS);
        }
        assert_eq!(came, bytes);
    }

    fn arrive(&mut self, frame: &[u8]) {
        let mut out = Out { frames: Vec::new(), room: self.room };
        self.stack.take_in(&mut frame.to_vec(), false, &mut out, self.now);
        for frame in &out.frames {
            self.overhear(frame);
        }
        self.turn();
    }

    /// What the stranger learns from a frame of the stack's.
    fn overhear(&mut self, frame: &[u8]) {
        let (protocol, at) = match frame.get(12..14) {
            Some([8, 0]) => (frame[23], 34),
            Some([0x86, 0xdd]) => (frame[20], 54),
            _ => return,
        };
        let Some(&[a, b, c, d, ref rest @ ..]) = frame.get(at..) else { return };
        let (from, to) = (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d]));
        let heard = &mut self.heard;
        match (protocol, to) {
            (6, _) => {
                let Ok(tcp) = TcpPacket::new_checked(&frame[at..]) else { return };
                let next = (tcp.seq_number() + tcp.segment_len()).0 as u32;
                let known = ((at == 54, to, from), (next, tcp.ack_number().0 as u32));
                if heard.segments.len() < 16 {
                    heard.segments.insert(known.0, known.1);
                }
                heard.segments.entry(known.0).and_modify(|it| *it = known.1);
            }
            (17, 67) => heard.lease = rest.get(8..12).and_then(|it| it.try_into().ok()).unwrap_or_default(),
            (17, 53) => {
                heard.name = (from, rest.get(4..6).and_then(|it| it.try_into().ok()).unwrap_or_default())
            }
            (17, 123) => heard.time = (from, rest.last_chunk().copied().unwrap_or_default()),
            (1 | 58, _) if matches!(a, 8 | 128) => {
                heard.ping = rest.first_chunk().copied().unwrap_or_default();
            }
            _ => {}
        }
    }

    /// A frame of the stranger's.
    fn attack(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let mut frame = self.valid(input)?;
        mend(&mut frame);
        for _ in 0..input.int_in_range(0..=3)? {
            let at = input.choose_index(frame.len())?;
            frame[at] = input.arbitrary()?;
        }
        match input.int_in_range(0..=15)? {
            0 => frame.truncate(input.int_in_range(0..=frame.len())?),
            1 => frame.extend_from_slice(&vec![input.arbitrary()?; input.int_in_range(0..=64)?]),
            _ => {}
        }
        if !input.ratio(1, 8)? {
            mend(&mut frame);
        }
        if !is_pretence(&frame) {
            let times = if input.ratio(1, 16)? { input.int_in_range(1..=40)? } else { 1 };
            for _ in 0..times {
                self.arrive(&frame);
                let frames = FRAMES.fetch_add(1, Ordering::Relaxed) + 1;
                if frames.is_multiple_of(1_000_000) {
                    eprintln!("{frames} frames");
                }
            }
        }
        Ok(())
    }

    /// A frame that could be in order.
    fn valid(&mut self, input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        let is_v6: bool = input.arbitrary()?;
        let ip = |protocol, payload: &[u8]| match is_v6 {
            true => v6(protocol, 255, payload),
            false => v4(protocol, payload),
        };
        Ok(match input.int_in_range(0..=12)? {
            0 => {
                let kind = input.int_in_range(1..=2)?;
                let sender = [10, 0, 0, input.arbitrary()?];
                let arp = [&[0, 1, 8, 0, 6, 4, 0, kind][..], &STRANGER.mac, &sender, &[0; 6], &STACK.v4];
                ether(0x0806, &arp.concat())
            }
            1 => {
                let options = some(input, 10, 4)?;
                let port = 1000 + u16::from(input.arbitrary::<u8>()?);
                ip(6, &tcp(port, ECHO, 1, 0, 2, &options, &[]))
            }
            2..=4 => {
                let heard =
                    self.heard.segments.iter().filter(|(ends, _)| ends.0 == is_v6).collect::<Vec<_>>();
                if heard.is_empty() {
                    return Ok(ip(6, &tcp(1000, ECHO, 1, 0, 2, &[2, 4, 5, 0xb4], &[])));
                }
                let (&(_, from, to), &(ack, seq)) = *input.choose(&heard)?;
                let near = |input: &mut Unstructured<'_>| match input.ratio(1, 4)? {
                    true => Ok(input.arbitrary::<i16>()? as i32 as u32),
                    false => Ok(0),
                };
                let (seq, ack) = (seq.wrapping_add(near(input)?), ack.wrapping_add(near(input)?));
                let options = if input.ratio(1, 4)? { some(input, 10, 4)? } else { Vec::new() };
                let flags = *input.choose(&[0x10, 0x18, 0x11, 0x04, 0x14, 0x12, 0x02])?;
                let payload = vec![input.arbitrary()?; if input.ratio(1, 8)? { 1000 } else { 5 }];
                let payload = if flags & 8 == 0 { &[] } else { &payload[..] };
                ip(6, &tcp(from, to, seq, ack, flags, &options, payload))
            }
            5 => ip(17, &udp(9, ECHO, &some(input, 8, 1)?)),
            6 => {
                let (port, id) = self.heard.name;
                ip(17, &udp(53, port, &named(id, input)?))
            }
            7 => {
                let (port, nonce) = self.heard.time;
                let mut packet = [0; sntp::PACKET];
                (packet[0], packet[1]) = (0x24, 2);
                packet[24..32].copy_from_slice(&nonce);
                (packet[32], packet[40]) = (0xe8, 0xe8);
                ip(17, &udp(sntp::PORT, port, &packet))
            }
            8 => v4(17, &udp(67, 68, &lease(self.heard.lease, input)?)),
            9 => advertisement(input)?,
            10 => self.control(is_v6, input)?,
            11 => {
                let (number, offset): (u8, u8) = (input.int_in_range(0..=3)?, input.arbitrary()?);
                let mut frame = v4(17, &udp(9, ECHO, &[1; 64]));
                let more = if input.arbitrary()? { 0x20 } else { 0 };
                (frame[19], frame[20], frame[21]) = (number, more, offset);
                frame
            }
            _ => {
                // Headers in between, and membership of groups.
                let kind = *input.choose(&[0u8, 2, 43, 44, 58, 60])?;
                ip(kind, &some(input, 32, 1)?)
            }
        })
    }

    /// Pings, and word of what did not arrive.
    fn control(&mut self, is_v6: bool, input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        let ([a, b], error) = (self.heard.ping, input.int_in_range(0..=4)?);
        let code = input.int_in_range(0..=5)?;
        let kinds = if is_v6 { [128, 129, 1, 2, 3] } else { [8, 0, 3, 11, 12] };
        let mut message = vec![kinds[error], code, 0, 0, a, b, 0, 1];
        if error < 2 {
            message.extend([5; 20]);
        } else {
            let to = if input.arbitrary()? { FRIEND } else { STRANGER };
            let heard: Vec<_> = self.heard.segments.iter().collect();
            let (from, port, seq) = match input.choose(&heard) {
                Ok((ends, next)) => (ends.2, ends.1, next.0),
                Err(_) => (ECHO, 49152, 1),
            };
            let segment = tcp(from, port, seq, 0, 0x10, &[], &[]);
            let lost = if is_v6 {
                packet_v6(6, 64, STACK.v6, to.v6, &segment)
            } else {
                packet_v4(6, STACK.v4, to.v4, &segment)
            };
            message.extend(lost);
        }
        Ok(if is_v6 { v6(58, 255, &message) } else { v4(1, &message) })
    }
}

/// Up to so many pieces of so many bytes each.
fn some(input: &mut Unstructured<'_>, most: usize, piece: usize) -> Result<Vec<u8>> {
    let pieces = input.int_in_range(0..=most)?;
    input.bytes(pieces * piece).map(<[u8]>::to_vec)
}

/// Whether a frame of the stranger's says that it is the friend's, or where the friend is.
fn is_pretence(frame: &[u8]) -> bool {
    let is_error = frame.get(20) == Some(&58) && matches!(frame.get(54), Some(1..=4));
    let names_him = frame.get(38..).is_some_and(|rest| rest.windows(16).any(|it| it == FRIEND.v6));
    match frame.get(12..14) {
        Some([8, 6]) => frame.windows(4).any(|it| it == FRIEND.v4),
        Some([8, 0]) => frame.get(26..30) == Some(&FRIEND.v4),
        Some([0x86, 0xdd]) => frame.get(22..38) == Some(&FRIEND.v6) || names_him && !is_error,
        _ => false,
    }
}

/// An answer to the question for a name.
fn named(id: [u8; 2], input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut packet = question(u16::from_be_bytes(id), NAME, Family::V4).expect("a name");
    packet[2] |= 0x80;
    packet[7] = input.int_in_range(0..=3)?;
    for _ in 0..packet[7] {
        let kind = *input.choose(&[1, 5, 28, 41])?;
        packet.extend([0xc0, 12 + input.int_in_range(0..=40)?, 0, kind, 0, 1, 0, 0, 0, 60]);
        let data: &[u8] = match kind {
            1 => &[0, 4, 10, 0, 0, 9],
            5 => &[0, 2, 0xc0, 12],
            _ => &[0, 0],
        };
        packet.extend(data);
    }
    Ok(packet)
}

/// What a server for addresses says.
fn lease(id: [u8; 4], input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let mut packet = vec![0u8; 240];
    (packet[0], packet[1], packet[2]) = (2, 1, 6);
    packet[4..8].copy_from_slice(&id);
    packet[16..20].copy_from_slice(&[10, 0, 0, input.int_in_range(0..=9)?]);
    packet[20..24].copy_from_slice(&STRANGER.v4);
    packet[28..34].copy_from_slice(&STACK.mac);
    packet[236..].copy_from_slice(&[99, 130, 83, 99]);
    packet.extend([53, 1, *input.choose(&[2, 5, 6])?]);
    packet.extend([&[54, 4][..], &STRANGER.v4, &[1, 4, 255, 255, 255, 0, 3, 4], &STRANGER.v4].concat());
    for _ in 0..input.int_in_range(0..=3)? {
        let seconds: u32 = if input.arbitrary()? { input.arbitrary()? } else { 100 };
        match *input.choose(&[51u8, 58, 59, 6, 52, 0])? {
            kind @ (51 | 58 | 59) => packet.extend([&[kind, 4][..], &seconds.to_be_bytes()].concat()),
            6 => packet.extend([6, 8, 10, 0, 0, 66, 10, 0, 0, 67]),
            kind => packet.extend([kind, input.int_in_range(0..=3)?, 1]),
        }
    }
    packet.push(255);
    Ok(packet)
}

/// What a router says.
fn advertisement(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let lifetime = input.arbitrary::<u16>()?.to_be_bytes();
    let mut message = vec![134, 0, 0, 0, 64, input.arbitrary()?];
    message.extend(lifetime);
    message.extend([0; 8]);
    for _ in 0..input.int_in_range(0..=4)? {
        let seconds = if input.arbitrary()? { input.arbitrary::<u32>()? } else { 600 }.to_be_bytes();
        let net = input.arbitrary()?;
        let address = [0xfd, 0, 0, 0, 0, 0, 0, net, 0, 0, 0, 0, 0, 0, 0, 1];
        match input.int_in_range(0..=3)? {
            0 => message.extend([&[3, 4, 64, 0xc0][..], &seconds, &seconds, &[0; 4], &address].concat()),
            1 => message.extend([&[25, 3, 0, 0][..], &seconds, &address].concat()),
            2 => message.extend([&[5, 1, 0, 0][..], &seconds].concat()),
            _ => message.extend([1, 1, 2, 0, 0, 0, 0, 66]),
        }
    }
    let mut frame = v6(58, 255, &message);
    let from: u8 = input.arbitrary()?;
    frame[37] = from;
    Ok(frame)
}

fn ether(kind: u16, payload: &[u8]) -> Vec<u8> {
    [&STACK.mac[..], &STRANGER.mac, &kind.to_be_bytes(), payload].concat()
}

fn packet_v4(protocol: u8, from: [u8; 4], to: [u8; 4], payload: &[u8]) -> Vec<u8> {
    let [high, low] = (20 + payload.len() as u16).to_be_bytes();
    [&[0x45, 0, high, low, 0, 1, 0, 0, 64, protocol, 0, 0][..], &from, &to, payload].concat()
}

fn packet_v6(next: u8, hops: u8, from: [u8; 16], to: [u8; 16], payload: &[u8]) -> Vec<u8> {
    let [high, low] = (payload.len() as u16).to_be_bytes();
    [&[0x60, 0, 0, 0, high, low, next, hops][..], &from, &to, payload].concat()
}

fn v4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    ether(0x0800, &packet_v4(protocol, STRANGER.v4, STACK.v4, payload))
}

fn v6(next: u8, hops: u8, payload: &[u8]) -> Vec<u8> {
    ether(0x86dd, &packet_v6(next, hops, STRANGER.v6, STACK.v6, payload))
}

fn udp(from: u16, to: u16, payload: &[u8]) -> Vec<u8> {
    let length = (8 + payload.len() as u16).to_be_bytes();
    [&from.to_be_bytes()[..], &to.to_be_bytes(), &length, &[0; 2], payload].concat()
}

fn tcp(from: u16, to: u16, seq: u32, ack: u32, flags: u8, options: &[u8], payload: &[u8]) -> Vec<u8> {
    let words = (5 + options.len() / 4) as u8;
    let head = [&from.to_be_bytes()[..], &to.to_be_bytes(), &seq.to_be_bytes(), &ack.to_be_bytes()].concat();
    [&head[..], &[words << 4, flags, 4, 0, 0, 0, 0, 0], options, payload].concat()
}

/// Puts the sums of a frame right, as far as it is one.
fn mend(frame: &mut [u8]) {
    let Ok(mut ethernet) = EthernetFrame::new_checked(frame) else { return };
    match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => {
            let Ok(mut ip) = Ipv4Packet::new_checked(ethernet.payload_mut()) else { return };
            if ip.header_len() < 20 {
                return;
            }
            ip.fill_checksum();
            let (from, to, protocol): (Ipv4Addr, Ipv4Addr, _) =
                (ip.src_addr(), ip.dst_addr(), ip.next_header());
            sum(protocol, from.into(), to.into(), ip.payload_mut());
        }
        EthernetProtocol::Ipv6 => {
            let Ok(mut ip) = Ipv6Packet::new_checked(ethernet.payload_mut()) else { return };
            let (from, to, protocol): (Ipv6Addr, Ipv6Addr, _) =
                (ip.src_addr(), ip.dst_addr(), ip.next_header());
            sum(protocol, from.into(), to.into(), ip.payload_mut());
        }
        _ => {}
    }
}

fn sum(protocol: IpProtocol, from: IpAddress, to: IpAddress, payload: &mut [u8]) {
    match (protocol, from, to) {
        (IpProtocol::Tcp, ..) => {
            if let Ok(mut tcp) = TcpPacket::new_checked(payload) {
                tcp.fill_checksum(&from, &to);
            }
        }
        (IpProtocol::Udp, ..) => {
            if let Ok(mut udp) = UdpPacket::new_checked(payload) {
                udp.fill_checksum(&from, &to);
            }
        }
        (IpProtocol::Icmp, ..) if payload.len() >= 8 => {
            Icmpv4Packet::new_unchecked(payload).fill_checksum();
        }
        (IpProtocol::Icmpv6, IpAddress::Ipv6(from), IpAddress::Ipv6(to)) if payload.len() >= 8 => {
            Icmpv6Packet::new_unchecked(payload).fill_checksum(&from, &to);
        }
        _ => {}
    }
}
