//! The adapter's registers (82574 datasheet, 10.2), and what the kernel has to know of its state.

use super::Layout;
use crate::class::{AttachError, Bell, GuardError, Named, Register, Registers, Ring, Step, Verdict, named};
use crate::pool::PAGE;
use crate::window::{Access, Table, TableError, Widths};

/// Queues: of buffers to be filled, and of frames to be sent.
pub const RECEIVE: u16 = 0;
/// The other one.
pub const SEND: u16 = 1;
/// How many there are.
pub const QUEUES: usize = 2;

const CONTROL: Register = register(0x0000);
const STATUS: Register = register(0x0008);
const EXTENDED_CONTROL: Register = register(0x0018);
const MASK_CLEAR: Register = register(0x00d8);
const AUTO_CLEAR: u64 = 0x00dc;
const AUTO_MASK: u64 = 0x00e0;
const RECEIVE_CONTROL: Register = register(0x0100);
const SEND_CONTROL: Register = register(0x0400);
const RECEIVE_DELAY: u64 = 0x2820;
const RECEIVE_DELAY_MOST: u64 = 0x282c;
const FILTER_CONTROL: u64 = 0x5008;
const SEVERAL_QUEUES: u64 = 0x5818;

/// Where the registers of queues begin; nobody uses the second ones.
const RECEIVES: u64 = 0x2800;
const SENDS: u64 = 0x3800;
const SECOND_RECEIVES: u64 = 0x2900;
const SECOND_SENDS: u64 = 0x3900;

/// In them: where the ring lies, its bytes, what the device does next, and what it does not have.
const BASE: u64 = 0x00;
const LENGTH: u64 = 0x08;
const HEAD: u64 = 0x10;
const TAIL: u64 = 0x18;

/// Bits of the control register: the device is to ask for no memory, and to be as after power came.
const MASTER_DISABLE: u64 = 1 << 2;
const RESET: u64 = 1 << 26;
/// Those that are the driver's: full duplex, the speed found out, the link set up.
const CONTROL_DRIVERS: u64 = 1 << 0 | 1 << 5 | 1 << 6;

/// Bit of the status: it may still ask for memory.
const MASTER_ENABLED: u64 = 1 << 19;

/// Bits of the extended control by which reading a cause changes the mask.
const AUTO: u64 = 1 << 24 | 1 << 27;

/// Switches receiving or sending on.
const ENABLE: u64 = 1 << 1;

/// Bits of receiving that are the driver's: on, every station, every group, broadcasts, frames without their check sequence. All others are zero: so buffers have 2048 bytes,
/// descriptors one address, and frames that are longer than Ethernet's do not come.
const RECEIVE_DRIVERS: u64 = ENABLE | 1 << 3 | 1 << 4 | 1 << 15 | 1 << 26;

/// Bits of sending that are: on, short frames filled up, the collisions.
const SEND_DRIVERS: u64 = ENABLE | 1 << 3 | 0xff << 4 | 0x3ff << 12 | 1 << 24;

/// Bits of checking what comes that are: sums of IP, of TCP and UDP. Not where hashes go.
const CHECKS_DRIVERS: u64 = 1 << 8 | 1 << 9;

/// Nanoseconds within which the device has finished what it began, and is through its reset.
const LIMIT: u64 = 100_000_000;

const fn register(offset: u64) -> Register {
    Register { bar: 0, offset, width: 4 }
}

/// The device loses its way to memory, and is reset. A reset sees to it that nothing is left of before, neither rings nor what a cause does besides; QEMU's device keeps it all the
/// same.
static QUIESCE: [Step; 35] = [
    Step::Write(MASK_CLEAR, 0xffff_ffff),
    zero(RECEIVE_CONTROL.offset),
    zero(SEND_CONTROL.offset),
    Step::Write(CONTROL, MASTER_DISABLE),
    Step::Await { register: STATUS, mask: MASTER_ENABLED, value: 0, limit: LIMIT },
    Step::Write(CONTROL, RESET),
    Step::Await { register: CONTROL, mask: RESET, value: 0, limit: LIMIT },
    Step::Write(MASK_CLEAR, 0xffff_ffff),
    zero(RECEIVES + BASE),
    zero(RECEIVES + BASE + 4),
    zero(RECEIVES + LENGTH),
    zero(RECEIVES + HEAD),
    zero(RECEIVES + TAIL),
    zero(SECOND_RECEIVES + BASE),
    zero(SECOND_RECEIVES + BASE + 4),
    zero(SECOND_RECEIVES + LENGTH),
    zero(SECOND_RECEIVES + HEAD),
    zero(SECOND_RECEIVES + TAIL),
    zero(SENDS + BASE),
    zero(SENDS + BASE + 4),
    zero(SENDS + LENGTH),
    zero(SENDS + HEAD),
    zero(SENDS + TAIL),
    zero(SECOND_SENDS + BASE),
    zero(SECOND_SENDS + BASE + 4),
    zero(SECOND_SENDS + LENGTH),
    zero(SECOND_SENDS + HEAD),
    zero(SECOND_SENDS + TAIL),
    zero(AUTO_CLEAR),
    zero(AUTO_MASK),
    zero(RECEIVE_DELAY),
    zero(RECEIVE_DELAY_MOST),
    zero(FILTER_CONTROL),
    zero(SEVERAL_QUEUES),
    Step::Clear(EXTENDED_CONTROL, AUTO),
];

const fn zero(offset: u64) -> Step {
    Step::Write(register(offset), 0)
}

/// How it becomes quiet.
pub fn quiesce() -> &'static [Step] {
    &QUIESCE
}

/// An adapter and what is known of its state.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Adapter {
    attached: [bool; QUEUES],
    enabled: [bool; QUEUES],
}

impl Adapter {
    pub(crate) fn table(self, bar: u8, length: u64) -> Result<Table, TableError> {
        let address = Access::Forbidden;
        let four = Widths::FOUR;
        let ranges: [Named; 24] = [
            (CONTROL.offset, 4, four, Access::Guarded),
            (STATUS.offset, 4, four, Access::ReadOnly),
            (0x00c0, 8, four, Access::ReadWrite), // ICR, ITR
            (0x00d0, 4, four, Access::ReadWrite), // IMS
            (MASK_CLEAR.offset, 4, four, Access::ReadWrite),
            (RECEIVE_CONTROL.offset, 4, four, Access::Guarded),
            (SEND_CONTROL.offset, 4, four, Access::Guarded),
            (0x0410, 4, four, Access::ReadWrite), // TIPG
            (RECEIVES + BASE, 8, four, address),
            (RECEIVES + LENGTH, 4, four, Access::ReadOnly),
            (RECEIVES + HEAD, 4, four, Access::ReadOnly),
            (RECEIVES + TAIL, 4, four, Access::Doorbell),
            (SECOND_RECEIVES, 0x20, Widths::ANY, Access::Forbidden),
            (SENDS + BASE, 8, four, address),
            (SENDS + LENGTH, 4, four, Access::ReadOnly),
            (SENDS + HEAD, 4, four, Access::ReadOnly),
            (SENDS + TAIL, 4, four, Access::Doorbell),
            (0x3828, 4, four, Access::ReadWrite), // TXDCTL
            (SECOND_SENDS, 0x20, Widths::ANY, Access::Forbidden),
            (0x4000, 0x128, four, Access::ReadOnly), // statistics
            (0x5000, 4, four, Access::Masked { writable: CHECKS_DRIVERS, fixed: 0 }), // RXCSUM
            (FILTER_CONTROL, 4, four, Access::Forbidden),
            (0x5200, 0x200, four, Access::ReadWrite), // MTA
            (0x5400, 0x80, four, Access::ReadOnly),   // RAL, RAH
        ];
        // Behind the ports of the third window is every register once more.
        named(length, if bar == 0 { &ranges } else { &[] })
    }

    pub(crate) fn guard(&mut self, offset: u64, value: u64) -> Result<Verdict, GuardError> {
        match offset {
            _ if offset == CONTROL.offset && value & RESET != 0 => Ok(Verdict::Reset),
            _ if offset == CONTROL.offset => Ok(Verdict::Write(value & CONTROL_DRIVERS)),
            _ if offset == RECEIVE_CONTROL.offset => self.switch(RECEIVE, value, RECEIVE_DRIVERS),
            _ if offset == SEND_CONTROL.offset => self.switch(SEND, value, SEND_DRIVERS),
            _ => Err(GuardError::NotGuarded),
        }
    }

    /// A queue that is at work stops with a reset only: what the device has fetched of it, it would go on with.
    fn switch(&mut self, queue: u16, value: u64, drivers: u64) -> Result<Verdict, GuardError> {
        let (Some(attached), Some(enabled)) =
            (self.attached.get(usize::from(queue)), self.enabled.get_mut(usize::from(queue)))
        else {
            return Err(GuardError::NotGuarded);
        };
        let enable = value & ENABLE != 0;
        if *enabled && !enable {
            return Ok(Verdict::Reset);
        }
        if enable && !attached {
            return Err(GuardError::NotNow);
        }
        *enabled = enable;
        Ok(Verdict::Write(value & drivers))
    }

    pub(crate) fn was_reset(&mut self) {
        *self = Adapter::default();
    }

    pub(crate) fn attach(
        &mut self,
        registers: &mut impl Registers,
        queue: u16,
        ring: Ring,
    ) -> Result<Bell, AttachError> {
        let at = [RECEIVES, SENDS].get(usize::from(queue)).copied();
        let attached = self.attached.get_mut(usize::from(queue));
        let (Some(at), Some(attached)) = (at, attached) else { return Err(AttachError::NoSuchQueue) };
        let layout = Layout::new(ring.size).ok_or(AttachError::BadSize(8))?;
        if !ring.base.is_multiple_of(PAGE) {
            return Err(AttachError::OutOfReach);
        }
        if *attached {
            return Err(AttachError::Attached);
        }
        *attached = true;
        let values = [
            (BASE, ring.base & 0xffff_ffff),
            (BASE + 4, ring.base >> 32),
            (LENGTH, layout.tail().into()),
            (HEAD, 0),
            (TAIL, 0),
        ];
        values.into_iter().for_each(|(offset, value)| registers.write(register(at + offset), value));
        Ok(Bell { register: register(at + TAIL), value: 0 })
    }
}
