//! Two stacks at a wire with a clock of its own. What the wire does to frames is drawn by a seed.

mod dhcp;
mod hostile;
mod lone;

use super::{ConnectError, Fate, FlowId, Link, ListenerId, Offloads, Read, Rooms, Settings, Stack, Written};
use crate::frame::{Sum, Whose, is_sound, leave_sum, look};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::num::NonZeroU16;
use core::task::Waker;
use proptest::prelude::*;
use smoltcp::wire::checksum;

const MS: u64 = 1_000_000;
const S: u64 = 1000 * MS;
const A: usize = 0;
const B: usize = 1;
const MAC: [[u8; 6]; 2] = [[2, 0, 0, 0, 0, 0xa], [2, 0, 0, 0, 0, 0xb]];
const IP: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
const ROOMS: Rooms = Rooms { receive: 32768, send: 32768 };

/// Frames that one stack gave out.
struct Out {
    frames: Vec<Vec<u8>>,
    room: usize,
}

impl Link for Out {
    fn has_room(&self) -> bool {
        self.frames.len() < self.room
    }

    fn send<R>(
        &mut self,
        length: usize,
        _segment: Option<NonZeroU16>,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        let mut frame = alloc::vec![0; length];
        let result = fill(&mut frame);
        if self.has_room() {
            self.frames.push(frame);
        }
        result
    }
}

/// What happens to frames, of a thousand each.
#[derive(Clone, Copy, Default, Debug)]
struct Trouble {
    lost: u64,
    twice: u64,
    late: u64,
}

struct World {
    stacks: [Stack; 2],
    now: u64,
    /// Frames on the wire: when they arrive, which one that is, where.
    wire: BTreeMap<(u64, u64), (usize, Vec<u8>)>,
    sent: u64,
    trouble: Trouble,
    random: u64,
    /// How many frames a stack can give out at once.
    room: usize,
    /// The device fills in checksums, and knows that they are right.
    sums: bool,
}

impl World {
    fn new(trouble: Trouble, seed: u64) -> World {
        let stack = |n: usize| {
            let mut stack = Stack::new(MAC[n], 1500, Offloads::default(), 64 << 20, [seed + n as u64, 1], 0);
            stack.use_address(&Settings { address: IP[n], prefix: 24, router: None });
            stack
        };
        World {
            stacks: [stack(A), stack(B)],
            now: S,
            wire: BTreeMap::new(),
            sent: 0,
            trouble,
            random: seed | 1,
            room: 64,
            sums: false,
        }
    }

    fn chance(&mut self, of_thousand: u64) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % 1000 < of_thousand
    }

    fn give_out(&mut self, from: usize, frames: Vec<Vec<u8>>) {
        for mut frame in frames {
            if self.sums && frame[12..14] == [8, 0] && frame[23] == 6 {
                assert!(!is_sound(&frame));
                let Sum { start, offset } = leave_sum(&mut frame).unwrap();
                let (start, place) = (usize::from(start), usize::from(start + offset));
                let sum = !checksum::data(&frame[start..]);
                frame[place..place + 2].copy_from_slice(&sum.to_be_bytes());
                assert!(is_sound(&frame));
            }
            let late = if self.chance(self.trouble.late) { 3 * MS } else { 0 };
            let times =
                u64::from(!self.chance(self.trouble.lost)) * (1 + u64::from(self.chance(self.trouble.twice)));
            for _ in 0..times {
                self.sent += 1;
                self.wire.insert((self.now + MS / 2 + late, self.sent), (1 - from, frame.clone()));
            }
        }
    }

    fn out(&self) -> Out {
        Out { frames: Vec::new(), room: self.room }
    }

    fn turn(&mut self) {
        for n in [A, B] {
            let mut out = self.out();
            self.stacks[n].turn(&mut out, self.now);
            self.give_out(n, out.frames);
        }
    }

    /// Lets the next thing happen, if it does before `end`; false when nothing does.
    fn step(&mut self, end: u64) -> bool {
        self.turn();
        let arrival = self.wire.first_key_value().map(|((at, _), _)| *at);
        let has_more = self.stacks.iter().any(Stack::has_more).then_some(self.now + MS / 10);
        let timers = self.stacks.iter().filter_map(Stack::deadline).min();
        let Some(next) = [arrival, timers, has_more].into_iter().flatten().min().filter(|next| *next <= end)
        else {
            self.now = end;
            return false;
        };
        self.now = next.max(self.now);
        while let Some(entry) = self.wire.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (n, mut frame) = entry.remove();
            self.arrive(n, &mut frame);
        }
        true
    }

    fn arrive(&mut self, n: usize, frame: &mut [u8]) {
        let mut out = self.out();
        self.stacks[n].take_in(frame, self.sums, &mut out, self.now);
        self.give_out(n, out.frames);
    }

    fn run(&mut self, time: u64) {
        let end = self.now + time;
        while self.now < end && self.step(end) {}
    }

    fn until(&mut self, time: u64, mut done: impl FnMut(&mut World) -> bool) {
        let end = self.now + time;
        while !done(self) {
            assert!(self.now < end && self.step(end), "never");
        }
    }

    fn listen(&mut self, n: usize, port: u16, backlog: usize) -> ListenerId {
        self.stacks[n].listen(port, ROOMS, backlog).unwrap()
    }

    fn connect(&mut self, from: usize, to: SocketAddr) -> FlowId {
        self.stacks[from].connect(to, ROOMS).unwrap()
    }

    /// A connection from A to B, and both its ends.
    fn pair(&mut self) -> (FlowId, FlowId) {
        let listener = self.listen(B, 80, 8);
        let client = self.connect(A, at(B, 80));
        let mut server = None;
        self.until(60 * S, |world| {
            server = server.or_else(|| world.stacks[B].accept(listener, Waker::noop()));
            server.is_some() && world.stacks[A].is_open(client, Waker::noop()) == Some(Ok(true))
        });
        (client, server.unwrap())
    }

    fn write(&mut self, n: usize, id: FlowId, bytes: &[u8]) -> Written {
        self.stacks[n].write(id, bytes, Waker::noop())
    }

    fn read(&mut self, n: usize, id: FlowId, most: usize) -> (Read, Vec<u8>) {
        let mut bytes = alloc::vec![0; most];
        let read = self.stacks[n].read(id, &mut bytes, Waker::noop());
        bytes.truncate(if let Read::Bytes(count) = read { count } else { 0 });
        (read, bytes)
    }
}

fn at(n: usize, port: u16) -> SocketAddr {
    SocketAddr::new(IP[n].into(), port)
}

fn pattern(length: usize, seed: u8) -> Vec<u8> {
    (0..length).map(|n| (n as u8).wrapping_mul(31) ^ (n >> 8) as u8 ^ seed).collect()
}

/// Sends so many bytes each way at once, and says what arrived.
fn exchange(world: &mut World, client: FlowId, server: FlowId, length: usize) {
    let ends = [(A, client, pattern(length, 1)), (B, server, pattern(length, 2))];
    let (mut written, mut came) = ([0; 2], [Vec::new(), Vec::new()]);
    let mut is_over = [false; 2];
    world.until(3600 * S, |world| {
        for (n, id, bytes) in &ends {
            if written[*n] < length {
                match world.write(*n, *id, &bytes[written[*n]..]) {
                    Written::Bytes(count) => written[*n] += count,
                    Written::Nothing => {}
                    other => panic!("{other:?}"),
                }
                if written[*n] == length {
                    world.stacks[*n].shut(*id);
                }
            }
            match world.read(*n, *id, 5000) {
                (Read::End, _) => is_over[*n] = true,
                (Read::Failed(fate), _) => panic!("{fate:?} at {n}"),
                (_, bytes) => came[*n].extend(bytes),
            }
        }
        is_over == [true; 2]
    });
    assert!(came[B] == ends[A].2 && came[A] == ends[B].2);
}

#[test]
fn what_is_written_comes_in_order_and_ends() {
    let mut world = World::new(Trouble::default(), 1);
    let (client, server) = world.pair();
    exchange(&mut world, client, server, 300_000);
    world.stacks[A].leave(client);
    world.stacks[B].leave(server);
    world.run(30 * S);
    assert_eq!([A, B].map(|n| world.stacks[n].sockets()), [0, 0]);
    assert_eq!(world.write(A, client, b"late"), Written::Failed(Fate::Reset));
}

#[test]
fn one_that_shuts_still_hears() {
    let mut world = World::new(Trouble::default(), 2);
    let (client, server) = world.pair();
    assert_eq!(world.write(A, client, b"question"), Written::Bytes(8));
    world.stacks[A].shut(client);
    assert_eq!(world.write(A, client, b"more"), Written::Closed);
    world.run(S);
    assert_eq!(world.read(B, server, 100).1, b"question");
    assert_eq!(world.read(B, server, 100).0, Read::End);
    assert_eq!(world.write(B, server, b"answer"), Written::Bytes(6));
    world.run(S);
    assert_eq!(world.read(A, client, 100).1, b"answer");
    assert_eq!(world.read(A, client, 100).0, Read::Nothing);
    world.stacks[B].leave(server);
    world.run(S);
    assert_eq!(world.read(A, client, 100).0, Read::End);
}

#[test]
fn nobody_there_is_told_apart() {
    let mut world = World::new(Trouble::default(), 3);
    // Nobody listens; nobody is there; no way there; not an address.
    let refused = world.connect(A, at(B, 81));
    let silent = world.connect(A, SocketAddr::new(Ipv4Addr::new(10, 0, 0, 77).into(), 80));
    world.run(S);
    assert_eq!(world.stacks[A].is_open(refused, Waker::noop()), Some(Err(Fate::Reset)));
    assert_eq!(world.stacks[A].is_open(silent, Waker::noop()), Some(Ok(false)));
    assert_eq!(world.read(A, silent, 10).0, Read::Nothing);
    world.run(60 * S);
    assert_eq!(world.stacks[A].is_open(silent, Waker::noop()), Some(Err(Fate::TimedOut)));
    assert_eq!(
        (world.read(A, silent, 10).0, world.write(A, silent, b"x")),
        (Read::Failed(Fate::TimedOut), Written::Failed(Fate::TimedOut))
    );
    let nowhere = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 80);
    assert_eq!(world.stacks[A].connect(nowhere, ROOMS), Err(ConnectError::Unreachable));
    assert_eq!(world.stacks[A].connect(at(B, 0), ROOMS), Err(ConnectError::Unreachable));
    for id in [refused, silent] {
        world.stacks[A].leave(id);
    }
    world.run(5 * S);
    assert_eq!(world.stacks[A].sockets(), 0);
}

#[test]
fn a_server_may_speak_first_and_at_once() {
    let mut world = World::new(Trouble::default(), 9);
    world.pair();
    let listener = world.listen(B, 81, 4);
    let client = world.connect(A, at(B, 81));
    world.run(5 * MS);
    let server = world.stacks[B].accept(listener, Waker::noop()).unwrap();
    assert_eq!(world.write(B, server, b"hello"), Written::Bytes(5));
    world.run(5 * MS);
    assert_eq!(world.read(A, client, 10).1, b"hello");
}

#[test]
fn who_finds_no_room_waits_and_is_not_sent_away() {
    let mut world = World::new(Trouble::default(), 8);
    world.pair();
    let listener = world.listen(B, 81, 4);
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.extend((0..4).map(|_| world.connect(A, at(B, 81))));
        world.run(10 * MS);
    }
    let open = |world: &mut World| {
        let is_open = |id: &&FlowId| world.stacks[A].is_open(**id, Waker::noop()) == Some(Ok(true));
        clients.iter().filter(is_open).count()
    };
    assert_eq!(open(&mut world), 4, "the others are not told anything");
    world.until(20 * S, |world| {
        world.stacks[B].accept(listener, Waker::noop());
        open(world) == clients.len()
    });
}

#[test]
fn a_peer_that_leaves_unread_bytes_behind_breaks_off() {
    let mut world = World::new(Trouble::default(), 4);
    let (client, server) = world.pair();
    world.write(A, client, b"nobody reads this");
    world.run(S);
    world.stacks[B].leave(server);
    world.run(S);
    assert_eq!(world.read(A, client, 10).0, Read::Failed(Fate::Reset));
}

#[test]
fn who_does_not_read_is_not_sent_more() {
    let mut world = World::new(Trouble::default(), 5);
    let (client, server) = world.pair();
    let mut written = 0;
    for _ in 0..500 {
        if let Written::Bytes(count) = world.write(A, client, &pattern(4096, 3)) {
            written += count;
        }
        world.run(10 * MS);
    }
    assert_eq!(written, ROOMS.receive + ROOMS.send);
    // It goes on, however long it took.
    world.run(400 * S);
    let mut came = 0;
    world.until(60 * S, |world| {
        while let (Read::Bytes(count), _) = world.read(B, server, 4096) {
            came += count;
        }
        came == written
    });
}

#[test]
fn connections_do_not_disturb_each_other() {
    let mut world = World::new(Trouble { lost: 20, twice: 20, late: 50 }, 6);
    let listener = world.listen(B, 80, 1000);
    let clients: Vec<_> = (0..300).map(|_| world.connect(A, at(B, 80))).collect();
    let (mut servers, mut open) = (Vec::new(), 0);
    world.until(120 * S, |world| {
        while let Some(id) = world.stacks[B].accept(listener, Waker::noop()) {
            servers.push(id);
        }
        open = clients
            .iter()
            .filter(|id| world.stacks[A].is_open(**id, Waker::noop()) == Some(Ok(true)))
            .count();
        servers.len() == 300 && open == 300
    });
    for (n, id) in clients.iter().enumerate() {
        world.write(A, *id, &pattern(1000 + n, n as u8));
    }
    let mut came = alloc::vec![Vec::new(); 300];
    world.until(120 * S, |world| {
        for (n, id) in servers.iter().enumerate() {
            came[n].extend(world.read(B, *id, 4096).1);
        }
        came.iter().map(Vec::len).sum::<usize>() == (0..300).map(|n| 1000 + n).sum::<usize>()
    });
    came.sort_by_key(Vec::len);
    assert!(came.iter().enumerate().all(|(n, bytes)| *bytes == pattern(1000 + n, n as u8)));
}

#[test]
fn a_flood_of_openings_takes_bounded_room_and_others_get_in() {
    let mut world = World::new(Trouble::default(), 7);
    let listener = world.listen(B, 80, 16);
    for n in 0..5000u32 {
        world.arrive(B, &mut opening(n));
        if n % 100 == 0 {
            world.turn();
            assert!(world.stacks[B].sockets() <= 17 && world.stacks[B].entries() < 300);
        }
    }
    // Neither does what nobody can be sent now.
    for n in 0..5000 {
        world.stacks[B].take_in(&mut opening(n), false, &mut Out { frames: Vec::new(), room: 0 }, world.now);
        assert!(world.stacks[B].entries() < 300, "{n}");
    }
    world.wire.clear();
    let client = world.connect(A, at(B, 80));
    world.until(20 * S, |world| world.stacks[B].accept(listener, Waker::noop()).is_some());
    world.run(100 * S);
    assert_eq!(world.stacks[A].is_open(client, Waker::noop()), Some(Ok(true)));
    assert_eq!(world.stacks[B].sockets(), 1, "those who never came back are forgotten");
}

/// The first segment of a connection from one who will not answer.
fn opening(n: u32) -> Vec<u8> {
    use smoltcp::phy::ChecksumCapabilities;
    use smoltcp::wire::{
        EthernetAddress, EthernetFrame, EthernetProtocol, EthernetRepr, IpAddress, IpProtocol, Ipv4Packet,
        Ipv4Repr, TcpControl, TcpPacket, TcpRepr, TcpSeqNumber,
    };
    let from = Ipv4Addr::from_bits(0x0a00_0064 + n % 100);
    let tcp = TcpRepr {
        src_port: 1000 + (n % 50_000) as u16,
        dst_port: 80,
        control: TcpControl::Syn,
        seq_number: TcpSeqNumber(7),
        ack_number: None,
        window_len: 1000,
        window_scale: None,
        max_seg_size: Some(1460),
        sack_permitted: false,
        sack_ranges: [None; 3],
        timestamp: None,
        payload: &[],
    };
    let ip = Ipv4Repr {
        src_addr: from,
        dst_addr: IP[B],
        next_header: IpProtocol::Tcp,
        payload_len: tcp.buffer_len(),
        hop_limit: 64,
    };
    let mut frame = alloc::vec![0; 14 + ip.buffer_len() + tcp.buffer_len()];
    let ethernet = EthernetRepr {
        src_addr: EthernetAddress(MAC[A]),
        dst_addr: EthernetAddress(MAC[B]),
        ethertype: EthernetProtocol::Ipv4,
    };
    ethernet.emit(&mut EthernetFrame::new_unchecked(&mut frame[..]));
    let checksums = ChecksumCapabilities::default();
    ip.emit(&mut Ipv4Packet::new_unchecked(&mut frame[14..]), &checksums);
    let ends = (IpAddress::Ipv4(from), IpAddress::Ipv4(IP[B]));
    tcp.emit(&mut TcpPacket::new_unchecked(&mut frame[34..]), &ends.0, &ends.1, &checksums);
    frame
}

#[test]
fn datagrams_go_both_ways_large_ones_in_fragments_of_any_order() {
    for trouble in [Trouble::default(), Trouble { late: 400, ..Trouble::default() }] {
        let mut world = World::new(trouble, 8);
        let (client, server) =
            (world.stacks[A].bind(5000, ROOMS).unwrap(), world.stacks[B].bind(7, ROOMS).unwrap());
        assert_eq!(world.stacks[B].bind(7, ROOMS), None);
        for length in [0, 1, 1472, 1473, 9000, 16000] {
            let sent = pattern(length, 9);
            assert_eq!(world.stacks[A].send_datagram(client, at(B, 7), &sent, Waker::noop()), Ok(true));
            let mut into = alloc::vec![0; 20_000];
            let mut came = None;
            world.until(10 * S, |world| {
                came = world.stacks[B].receive_datagram(server, &mut into, Waker::noop());
                came.is_some()
            });
            let came = came.unwrap();
            assert_eq!((came.from, came.length), (at(A, 5000), length));
            assert!(into[..length] == sent[..]);
        }
        let far = SocketAddr::new(IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 1u16]), 7);
        let too_long = world.stacks[A].send_datagram(client, at(B, 7), &[0; 40_000], Waker::noop());
        assert_eq!(too_long, Err(super::SendError::TooLong));
        assert_eq!(
            world.stacks[A].send_datagram(client, far, b"x", Waker::noop()),
            Ok(true),
            "there is an address of the link"
        );
    }
}

#[test]
fn pings_are_answered_by_whoever_is_there() {
    let mut world = World::new(Trouble::default(), 10);
    let echo = world.stacks[A].open_echo().unwrap();
    let link_local: IpAddr = "fe80::ff:fe00:b".parse().unwrap();
    for (number, to) in [(1, IP[B].into()), (2, link_local)] {
        assert!(world.stacks[A].ping(echo, to, number, &pattern(1000, 1)), "{to}");
        let mut pong = None;
        world.until(5 * S, |world| {
            pong = world.stacks[A].pong(echo, Waker::noop());
            pong.is_some()
        });
        assert_eq!(pong, Some((to, number, 1000)));
    }
    assert!(world.stacks[A].ping(echo, Ipv4Addr::new(10, 0, 0, 9).into(), 3, b""));
    world.run(5 * S);
    assert_eq!(world.stacks[A].pong(echo, Waker::noop()), None);
}

#[test]
fn an_address_that_is_gone_ends_its_connections() {
    let mut world = World::new(Trouble::default(), 11);
    let (client, _) = world.pair();
    let other = Settings { address: Ipv4Addr::new(10, 0, 0, 3), prefix: 24, router: Some(IP[B]) };
    world.stacks[A].use_address(&other);
    world.run(S);
    assert!(matches!(world.read(A, client, 10).0, Read::Failed(_)));
    let listener = world.listen(B, 90, 8);
    let next = world.connect(A, at(B, 90));
    world.until(5 * S, |world| world.stacks[B].accept(listener, Waker::noop()).is_some());
    assert_eq!(world.stacks[A].ends(next).map(|ends| ends.local.ip()), Some(other.address.into()));
    assert_eq!(world.stacks[A].routers().next(), Some(IP[B].into()));
}

#[test]
fn little_room_on_the_link_loses_nothing() {
    let mut world = World::new(Trouble::default(), 12);
    world.room = 1;
    let (client, server) = world.pair();
    exchange(&mut world, client, server, 50_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_the_wire_does_bytes_arrive(lost in 0u64..60, twice in 0u64..100, late in 0u64..200, seed in 1u64..u64::MAX / 2) {
        let mut world = World::new(Trouble { lost, twice, late }, seed);
        let (client, server) = world.pair();
        exchange(&mut world, client, server, 40_000);
    }

    #[test]
    fn any_frame_is_looked_at(mut frame: Vec<u8>) {
        let mut world = World::new(Trouble::default(), 1);
        let _ = look(&frame);
        world.arrive(B, &mut frame);
        world.turn();
    }

    #[test]
    fn changed_frames_hurt_nobody(changes in proptest::collection::vec((0usize..54, any::<u8>()), 1..4), n in 0u32..1000) {
        let mut world = World::new(Trouble::default(), 1);
        world.listen(B, 80, 4);
        let mut frame = opening(n);
        for (at, byte) in changes {
            frame[at] = byte;
        }
        world.arrive(B, &mut frame);
        world.run(S);
    }
}

#[test]
fn a_device_may_do_the_sums() {
    let mut world = World::new(Trouble::default(), 14);
    let offloads = Offloads { sends: true, receives: true, ..Offloads::default() };
    for (n, stack) in world.stacks.iter_mut().enumerate() {
        *stack = Stack::new(MAC[n], 1500, offloads, 64 << 20, [n as u64, 1], 0);
        stack.use_address(&Settings { address: IP[n], prefix: 24, router: None });
    }
    world.sums = true;
    let (client, server) = world.pair();
    exchange(&mut world, client, server, 50_000);
    // What nobody looked at is looked at here.
    let listener = world.listen(B, 90, 8);
    let mut frame = opening(1);
    world.stacks[B].take_in(&mut frame, false, &mut Out { frames: Vec::new(), room: 0 }, world.now);
    assert_eq!(world.stacks[B].sockets(), 2);
    frame[40] ^= 1;
    world.stacks[B].take_in(&mut frame, false, &mut Out { frames: Vec::new(), room: 0 }, world.now);
    assert_eq!(world.stacks[B].sockets(), 2);
    let _ = listener;
}

#[test]
fn buffers_have_no_more_memory_than_all_may_have() {
    let mut world = World::new(Trouble::default(), 13);
    let all = (64 << 20) / ROOMS.bytes();
    let mut ids: Vec<_> = (0..all).map(|n| world.connect(A, at(B, 1 + n as u16))).collect();
    assert_eq!(world.stacks[A].connect(at(B, 7), ROOMS), Err(ConnectError::NoRoom));
    assert_eq!((world.stacks[A].bind(9, ROOMS), world.stacks[A].open_echo()), (None, None));
    world.stacks[A].leave(ids.remove(0));
    world.run(5 * S);
    world.connect(A, at(B, 7));
}

#[test]
fn two_that_lose_something_at_the_same_time_go_on() {
    // As it was found: each sent again what the other had, and said from there that it had the other's.
    let mut world = World::new(Trouble { lost: 47, twice: 0, late: 16 }, 2639137027243510744);
    let (client, server) = world.pair();
    exchange(&mut world, client, server, 40_000);
}

#[test]
fn connections_begin_with_numbers_that_tell_nothing_of_each_other() {
    let first = |seed: u64, port: u16, now: u64| {
        let mut stack = Stack::new(MAC[B], 1500, Offloads::default(), 1 << 20, [seed, 9], 0);
        stack.use_address(&Settings { address: IP[B], prefix: 24, router: None });
        stack.listen(80, ROOMS, 8).unwrap();
        // The stack knows where the peer is.
        let mut frame = opening(0);
        (frame[34], frame[35]) = ((port >> 8) as u8, port as u8);
        let mut out = Out { frames: Vec::new(), room: 8 };
        stack.turn(&mut out, now);
        stack.take_in(&mut neighbor(), false, &mut out, now);
        mend(&mut frame);
        stack.take_in(&mut frame, false, &mut out, now);
        stack.turn(&mut out, now);
        let answer = out.frames.iter().find(|frame| frame[23] == 6 && frame[12] == 8).unwrap();
        assert!(is_sound(answer) && answer[47] == 0x12);
        u32::from_be_bytes(answer[38..42].try_into().unwrap())
    };
    // Of the same ends the next one begins where the time has got to; those of others, or of another secret, anywhere.
    let one = first(1, 1000, S);
    assert_eq!(first(1, 1000, S + 4 * MS).wrapping_sub(one), 1000);
    assert!(first(1, 1001, S).wrapping_sub(one) > 1 << 16 && first(2, 1000, S).wrapping_sub(one) > 1 << 16);
}

/// Says where the sender of [`opening`] is.
fn neighbor() -> Vec<u8> {
    let arp = [&[0, 1, 8, 0, 6, 4, 0, 1][..], &MAC[A], &[10, 0, 0, 100], &[0; 6], &IP[B].octets()].concat();
    [&MAC[B][..], &MAC[A], &[8, 6], &arp].concat()
}

/// Puts the checksum of a segment right.
fn mend(frame: &mut [u8]) {
    frame[50..52].fill(0);
    let sum = leave_sum(frame).unwrap();
    let sum = (usize::from(sum.start), usize::from(sum.start + sum.offset));
    let right = !checksum::data(&frame[sum.0..]);
    frame[sum.1..sum.1 + 2].copy_from_slice(&right.to_be_bytes());
}

#[test]
fn what_a_frame_is_for_is_seen() {
    assert_eq!(look(&[]).whose, Whose::Other);
    let Whose::Tcp { ends, opens, payload: 0 } = look(&opening(3)).whose else { panic!() };
    assert_eq!((ends.local_port, ends.remote_port, opens, ends.local), (80, 1003, true, IP[B].into()));
}
