//! What a device is like, as far as requests depend on it.

use crate::{Operation, Request, Status};

/// What a device is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Geometry {
    /// Sectors that it has.
    pub sectors: u64,
    /// Binary logarithm of a sector's bytes: 9 to 12.
    pub sector_shift: u8,
    /// Sectors that one request may move at most; not 0.
    pub most: u32,
    /// It takes nothing that changes it.
    pub read_only: bool,
    /// What is written may be lost with its power until a flush.
    pub cache: bool,
    /// It knows [`Operation::Discard`].
    pub discard: bool,
    /// It knows [`Operation::Zero`].
    pub zero: bool,
}

impl Geometry {
    /// Bytes of a sector.
    pub const fn sector_bytes(&self) -> u32 {
        1 << self.sector_shift
    }

    /// Bytes of so many sectors.
    pub const fn bytes(&self, sectors: u32) -> u64 {
        (sectors as u64) << self.sector_shift
    }

    /// Whether that device can be the one that was like `before`: it may have become larger since.
    pub fn continues(&self, before: &Geometry) -> bool {
        self.sectors >= before.sectors && Geometry { sectors: before.sectors, ..*self } == *before
    }

    /// Whether the device may be asked this. `room` is how many bytes the request's buffer has, 0 when there is no such buffer.
    ///
    /// # Errors
    /// What is wrong with it: always its author's fault.
    #[inline]
    pub fn check(&self, request: &Request, room: u64) -> Result<(), Status> {
        if self.read_only && request.operation.changes() {
            return Err(Status::ReadOnly);
        }
        match request.operation {
            Operation::Flush => return Ok(()),
            Operation::Discard if !self.discard => return Err(Status::Unsupported),
            Operation::Zero if !self.zero => return Err(Status::Unsupported),
            _ => {}
        }
        let sectors = u64::from(request.sectors);
        if sectors == 0 {
            return Err(Status::Invalid);
        }
        if request.first.checked_add(sectors).is_none_or(|end| end > self.sectors) {
            return Err(Status::OutOfRange);
        }
        if request.operation.has_data() {
            let end = u64::from(request.offset) + self.bytes(request.sectors);
            // Devices take whole doublewords (NVMe base 1.4, 4.3), and no transfer begins in the middle of a sector of memory.
            let aligned = request.offset.is_multiple_of(512);
            if request.sectors > self.most || end > room || !aligned {
                return Err(Status::Invalid);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Geometry;
    use crate::{Operation, Request, Status};
    use proptest::prelude::*;

    const DISK: Geometry = Geometry {
        sectors: 1000,
        sector_shift: 9,
        most: 8,
        read_only: false,
        cache: true,
        discard: true,
        zero: true,
    };

    fn request(operation: Operation, first: u64, sectors: u32, offset: u32) -> Request {
        Request { id: 1, operation, durable: false, buffer: 0, offset, first, sectors }
    }

    #[test]
    fn what_is_wrong_is_said() {
        let check =
            |operation, first, sectors, offset| DISK.check(&request(operation, first, sectors, offset), 4096);
        for operation in [Operation::Read, Operation::Write] {
            assert_eq!(check(operation, 992, 8, 0), Ok(()));
            assert_eq!(check(operation, 993, 8, 0), Err(Status::OutOfRange));
            assert_eq!(check(operation, u64::MAX, 8, 0), Err(Status::OutOfRange));
            assert_eq!(check(operation, 0, 9, 0), Err(Status::Invalid));
            assert_eq!(check(operation, 0, 0, 0), Err(Status::Invalid));
            assert_eq!(check(operation, 0, 8, 512), Err(Status::Invalid));
            assert_eq!(check(operation, 0, 7, 512), Ok(()));
            assert_eq!(check(operation, 0, 1, 256), Err(Status::Invalid));
            assert_eq!(DISK.check(&request(operation, 0, 1, 0), 0), Err(Status::Invalid));
        }
        // Nothing is moved: the buffer and the most of a transfer say nothing.
        assert_eq!(check(Operation::Discard, 0, 1000, 0), Ok(()));
        assert_eq!(check(Operation::Zero, 0, 1001, 0), Err(Status::OutOfRange));
        assert_eq!(check(Operation::Flush, 7, 7, 7), Ok(()));
    }

    #[test]
    fn a_device_that_became_larger_is_the_same() {
        assert!(DISK.continues(&DISK) && Geometry { sectors: 1001, ..DISK }.continues(&DISK));
        let others = [Geometry { sectors: 999, ..DISK }, Geometry { sectors: 1001, most: 9, ..DISK }];
        assert!(!others.iter().any(|other| other.continues(&DISK)));
    }

    #[test]
    fn what_a_device_can_not_is_said() {
        let simple = Geometry { discard: false, zero: false, ..DISK };
        let closed = Geometry { read_only: true, ..DISK };
        for operation in [Operation::Discard, Operation::Zero] {
            assert_eq!(simple.check(&request(operation, 0, 1, 0), 0), Err(Status::Unsupported));
        }
        for operation in [Operation::Write, Operation::Discard, Operation::Zero] {
            assert_eq!(closed.check(&request(operation, 0, 1, 0), 4096), Err(Status::ReadOnly));
        }
        assert_eq!(closed.check(&request(Operation::Read, 0, 1, 0), 4096), Ok(()));
        assert_eq!(closed.check(&request(Operation::Flush, 0, 0, 0), 0), Ok(()));
    }

    proptest! {
        #[test]
        fn what_passes_is_inside(
            operation in 0usize..5, first: u64, near in 0u64..1100, is_near: bool, sectors in 0u32..20, offset: u32, room in 0u64..20000,
        ) {
            let operation = Operation::ALL[operation];
            let first = if is_near { near } else { first };
            let request = request(operation, first, sectors, offset);
            if DISK.check(&request, room).is_ok() && operation != Operation::Flush {
                prop_assert!(sectors > 0 && first < 1000 && first + u64::from(sectors) <= 1000);
                if operation.has_data() {
                    prop_assert!(u64::from(offset) + u64::from(sectors) * 512 <= room && sectors <= 8);
                }
            }
        }
    }
}
