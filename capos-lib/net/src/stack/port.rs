//! The device that smoltcp sees: one frame to take in, and a link to send on.

use super::newest::Newest;
use core::num::NonZeroU16;
use smoltcp::phy::{Device, DeviceCapabilities, PacketMeta, RxToken, TxToken};
use smoltcp::time::Instant;

/// Where frames go out.
pub trait Link {
    /// Whether a frame can go out now.
    fn has_room(&self) -> bool;

    /// Sends a frame of so many bytes, which `fill` writes. When `segment` is there it is one of TCP that the device makes several frames of, with
    /// so much payload each. Without room it is lost: that may happen to any frame.
    fn send<R>(&mut self, length: usize, segment: Option<NonZeroU16>, fill: impl FnOnce(&mut [u8]) -> R)
    -> R;
}

/// For as long as one call into smoltcp.
pub(super) struct Port<'a, L> {
    pub frame: Option<&'a [u8]>,
    pub link: &'a mut L,
    pub capabilities: &'a DeviceCapabilities,
    /// Of the connection that this is for.
    pub newest: Option<&'a mut Newest>,
}

impl<L> Port<'_, L> {
    fn out(&mut self) -> Out<'_, L> {
        let has_sum = self.capabilities.checksum.tcp.tx();
        Out { link: self.link, meta: PacketMeta::default(), newest: self.newest.as_deref_mut(), has_sum }
    }
}

impl<L: Link> Device for Port<'_, L> {
    type RxToken<'a>
        = In<'a>
    where
        Self: 'a;
    type TxToken<'a>
        = Out<'a, L>
    where
        Self: 'a;

    fn receive(&mut self, _now: Instant) -> Option<(In<'_>, Out<'_, L>)> {
        let frame = self.frame.take()?;
        Some((In(frame), self.out()))
    }

    fn transmit(&mut self, _now: Instant) -> Option<Out<'_, L>> {
        self.link.has_room().then(|| self.out())
    }

    fn capabilities(&self) -> DeviceCapabilities {
        self.capabilities.clone()
    }
}

pub(super) struct In<'a>(&'a [u8]);

impl RxToken for In<'_> {
    fn consume<R, F: FnOnce(&[u8]) -> R>(self, f: F) -> R {
        f(self.0)
    }
}

pub(super) struct Out<'a, L> {
    link: &'a mut L,
    meta: PacketMeta,
    newest: Option<&'a mut Newest>,
    has_sum: bool,
}

impl<L: Link> TxToken for Out<'_, L> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, f: F) -> R {
        self.link.send(length, self.meta.segmentation_offload_size, |frame| {
            let result = f(frame);
            if let Some(newest) = self.newest {
                newest.pass(frame, self.has_sum);
            }
            result
        })
    }

    fn set_meta(&mut self, meta: PacketMeta) {
        self.meta = meta;
    }
}

/// A link on which nothing is ever sent.
pub(super) struct Nowhere;

impl Link for Nowhere {
    fn has_room(&self) -> bool {
        false
    }

    fn send<R>(
        &mut self,
        length: usize,
        _segment: Option<NonZeroU16>,
        fill: impl FnOnce(&mut [u8]) -> R,
    ) -> R {
        fill(&mut alloc::vec![0; length])
    }
}
