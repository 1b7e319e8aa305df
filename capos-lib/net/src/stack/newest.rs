//! Where a connection has got to in what it sends.
//!
//! smoltcp 0.14 gives segments without payload the number from which it is sending again, when it is, and not that of what comes next (RFC 9293
//! section 3.10: SND.NXT). The peer has to drop one that is behind what he has, and the acknowledgement in it: two that send to each other and
//! lose something at the same time never go on. So the number is put right here.

use smoltcp::wire::{
    EthernetFrame, EthernetProtocol, IpProtocol, Ipv4Packet, Ipv6Packet, TcpPacket, TcpSeqNumber,
};

/// The number behind all that was ever sent.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Newest(Option<TcpSeqNumber>);

impl Newest {
    /// Looks at a frame of the connection that smoltcp has made, and puts it right; its checksum, too, if that is there already.
    pub fn pass(&mut self, frame: &mut [u8], has_sum: bool) {
        let Some(tcp) = segment(frame).and_then(|at| frame.get_mut(at)) else { return };
        let Ok(mut segment) = TcpPacket::new_checked(tcp) else { return };
        let own = segment.seq_number();
        let end = own + segment.segment_len();
        let newest = self.0.get_or_insert(own);
        // A single byte may be one that asks whether a window is still closed, and was never taken then; the peer has got no further. If it was
        // a real one nothing is lost: what is sent again begins with it, and ends no earlier.
        let is_asking = segment.segment_len() == 1 && !segment.fin() && !segment.syn();
        if segment.segment_len() > 0 {
            if !is_asking {
                *newest = (*newest).max(end);
            }
        } else if own < *newest && !segment.syn() {
            let sum = segment.checksum();
            segment.set_seq_number(*newest);
            if has_sum {
                segment.set_checksum(moved(sum, own.0 as u32, newest.0 as u32));
            }
        }
    }
}

/// Where in a frame its segment is, if it has a whole one.
fn segment(frame: &[u8]) -> Option<core::ops::Range<usize>> {
    let ethernet = EthernetFrame::new_checked(frame).ok()?;
    let begin = EthernetFrame::<&[u8]>::header_len();
    let (protocol, header, length) = match ethernet.ethertype() {
        EthernetProtocol::Ipv4 => {
            let ip = Ipv4Packet::new_checked(ethernet.payload()).ok()?;
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
