//! The numbers of what a connection sends, between smoltcp and the wire.
//!
//! smoltcp 0.14 begins with whatever its generator gives, from whose numbers the next ones can be computed: who opens a few connections knows what those of
//! others begin with, and can speak in them. So here connections begin as RFC 6528 says, and what smoltcp says is shifted by the difference.
//!
//! It also gives segments without payload the number from which it is sending again, when it is, and not that of what comes next (RFC 9293
//! section 3.10: SND.NXT). The peer has to drop one that is behind what he has, and the acknowledgement in it: two that send to each other and
//! lose something at the same time never go on. So the number is put right here.

use crate::frame::Tuple;
use core::hash::{Hash as _, Hasher as _};
use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, TcpSeqNumber,
};

/// How long the numbers of one pair of ends take to get one further, nanoseconds (RFC 6528 section 3).
const TICK_NS: u64 = 4000;

/// What nobody else knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Secret(pub u64, pub u64);

impl Secret {
    /// What a connection begins with: later ones of the same ends begin further on, and those of other ends tell nothing of it.
    pub fn first(&self, ends: &Tuple, now: u64) -> u32 {
        #[expect(deprecated, reason = "the one that took its place has no key, and is not there without std")]
        let mut hasher = core::hash::SipHasher::new_with_keys(self.0, self.1);
        ends.hash(&mut hasher);
        ((now / TICK_NS) as u32).wrapping_add(hasher.finish() as u32)
    }
}

/// Where a connection has got to.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Newest {
    /// What it begins with on the wire.
    first: u32,
    /// How much further the wire is than smoltcp.
    shift: u32,
    /// The number behind all that was ever sent, as smoltcp counts.
    end: Option<TcpSeqNumber>,
}

impl Newest {
    /// Nothing was sent yet.
    pub fn new(first: u32) -> Newest {
        Newest { first, ..Newest::default() }
    }

    /// Looks at a frame of the connection that smoltcp has made, and puts it right; its checksum, too, if that is there already.
    pub fn pass(&mut self, frame: &mut [u8], has_sum: bool) {
        let Some(tcp) = segment(frame).and_then(|at| frame.get_mut(at)) else { return };
        let Ok(mut segment) = TcpPacket::new_checked(tcp) else { return };
        let own = segment.seq_number();
        if segment.syn() {
            self.shift = self.first.wrapping_sub(own.0 as u32);
        }
        let number = self.put_right(&segment).0 as u32;
        let sent = number.wrapping_add(self.shift);
        if sent != own.0 as u32 {
            segment.set_seq_number(TcpSeqNumber(sent as i32));
            if has_sum {
                let sum = segment.checksum();
                segment.set_checksum(moved(sum, own.0 as u32, sent));
            }
        }
    }

    fn put_right(&mut self, segment: &TcpPacket<&mut [u8]>) -> TcpSeqNumber {
        let own = segment.seq_number();
        let end = own + segment.segment_len();
        let newest = self.end.get_or_insert(own);
        // A single byte may be one that asks whether a window is still closed, and was never taken then; the peer has got no further. If it was
        // a real one nothing is lost: what is sent again begins with it, and ends no earlier.
        let is_asking = segment.segment_len() == 1 && !segment.fin() && !segment.syn();
        if segment.segment_len() > 0 {
            if !is_asking {
                *newest = (*newest).max(end);
            }
        } else if own < *newest && !segment.syn() {
            return *newest;
        }
        own
    }

    /// Looks at a frame for the connection before smoltcp does. What the peer has in pieces stays as it is: smoltcp does not look at it.
    pub fn take_in(&self, frame: &mut [u8]) {
        let Some(tcp) = segment(frame).and_then(|at| frame.get_mut(at)) else { return };
        let Ok(mut segment) = TcpPacket::new_checked(tcp) else { return };
        let said = segment.ack_number().0 as u32;
        if segment.ack() && self.shift != 0 {
            let meant = said.wrapping_sub(self.shift);
            let sum = segment.checksum();
            segment.set_ack_number(TcpSeqNumber(meant as i32));
            segment.set_checksum(moved(sum, said, meant));
        }
    }
}

/// Where in a frame its segment is, if its header is there.
fn segment(frame: &[u8]) -> Option<core::ops::Range<usize>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let begin = EthernetFrame::<&[u8]>::header_len();
    let (protocol, header, length) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => {
            let ip = Ipv4Packet::new_checked(ethernet.payload()).ok().filter(|ip| ip.frag_offset() == 0)?;
            (ip.next_header(), usize::from(ip.header_len()), usize::from(ip.total_len()))
        }
        EthernetProtocol::Ipv6 => {
            let ip = Ipv6Packet::new_checked(ethernet.payload()).ok()?;
            (ip.next_header(), ip.header_len(), ip.total_len())
        }
        _ => return None,
    };
    (protocol == IpProtocol::Tcp).then_some(begin + header..begin + length)
}

/// The sum when a number in what is summed is another (RFC 1624, equation 3).
fn moved(sum: u16, before: u32, after: u32) -> u16 {
    let halves = |number: u32| [(number >> 16) as u16, number as u16];
    let old = halves(before).map(|half| u32::from(!half));
    let new = halves(after).map(u32::from);
    let total: u32 = u32::from(!sum) + old.iter().sum::<u32>() + new.iter().sum::<u32>();
    let folded = (total & 0xffff) + (total >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}
