//! `IoPort`: a range of I/O ports.

use super::{Call, Object, Outcome};
use crate::device::function::Function;
use capos_abi::{ExceptionCode, TransportError};
use capos_schema::io_port::{
    InfoResults, Read8Params, Read8Results, Read16Params, Read16Results, Read32Params, Read32Results,
    ReadBytesParams, ReadBytesResults, SubrangeParams, SubrangeResults, Write8Params, Write16Params,
    Write32Params, WriteBytesParams,
};
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::order::LockRank;
use kernel_hal::port::PortRange;
use kernel_hal::sync::{Lock, OutOfMemory, Ref};
use kernel_hal::{OutOfRange, PortError, Width, console};

/// Most bytes of one `readBytes`.
const READ_MAX: usize = 1024;

/// COM1, which the kernel's own console uses until a driver takes it.
const COM1: core::ops::Range<u32> = 0x3f8..0x400;

/// How many hold ports of COM1.
static COM1_HOLDERS: Lock<u32> = Lock::new(LockRank::List, 0);

/// Where the ports are that can be used.
pub(crate) enum Claim {
    /// On their own, given back by the last holder.
    Ports {
        ports: PortRange,
        /// Whether it keeps the kernel from COM1.
        holds_com1: AtomicBool,
    },
    /// Behind a base address register of a generation of a function.
    Device { function: Ref<Function>, generation: u32, bar: u8 },
}

fn has_com1(ports: &PortRange) -> bool {
    let first = u32::from(ports.base());
    first < COM1.end && first + ports.length() > COM1.start
}

impl Claim {
    /// Somebody has got the ports: if they are COM1's, the first such claim sends the kernel away and the end of the last brings it
    /// back.
    fn take_effect(&self) {
        if let Claim::Ports { ports, holds_com1 } = self
            && has_com1(ports)
            && !holds_com1.swap(true, Ordering::Relaxed)
        {
            let mut holders = COM1_HOLDERS.lock();
            if *holders == 0 {
                console::release();
            }
            *holders += 1;
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Claim::Ports { holds_com1, .. } = self
            && *holds_com1.get_mut()
        {
            let mut holders = COM1_HOLDERS.lock();
            *holders -= 1;
            if *holders == 0 {
                console::retake();
            }
        }
    }
}

/// A range. The whole range that init gets can only be divided: what does input or output has passed the check for ports that
/// the kernel itself uses, or is what the policy of a device says.
#[derive(Clone)]
pub(crate) struct IoPort {
    base: u16,
    length: u32,
    /// `None` for all, to be divided.
    claim: Option<Ref<Claim>>,
}

impl IoPort {
    /// All ports, to divide.
    pub fn all() -> Self {
        IoPort { base: 0, length: 0x1_0000, claim: None }
    }

    /// Those of a device, whose policy says what may be done with them. Where they are does not matter to anybody.
    pub fn of_device(
        function: &Ref<Function>,
        generation: u32,
        bar: u8,
        length: u32,
    ) -> Result<Self, OutOfMemory> {
        let claim = Ref::try_new(Claim::Device { function: function.clone(), generation, bar })?;
        Ok(IoPort { base: 0, length, claim: Some(claim) })
    }

    /// The first, and how many.
    pub fn extent(&self) -> (u16, u32) {
        (self.base, self.length)
    }

    fn read<T>(
        &self,
        (offset, width): (u16, Width),
        read: impl FnOnce(&PortRange) -> Result<T, OutOfRange>,
        value: impl FnOnce(u64) -> T,
    ) -> Result<T, Outcome> {
        let done = match self.claim.as_deref() {
            None => Err(ExceptionCode::Denied),
            Some(Claim::Ports { ports, .. }) => read(ports).map_err(|_| ExceptionCode::InvalidArgument),
            Some(Claim::Device { function, generation, bar }) => {
                function.read(*generation, *bar, u64::from(offset), width).map(value)
            }
        };
        done.map_err(Outcome::exception)
    }

    fn write(
        &self,
        (offset, width, value): (u16, Width, u64),
        write: impl FnOnce(&PortRange) -> Result<(), OutOfRange>,
    ) -> Outcome {
        let done = match self.claim.as_deref() {
            None => Err(ExceptionCode::Denied),
            Some(Claim::Ports { ports, .. }) => write(ports).map_err(|_| ExceptionCode::InvalidArgument),
            Some(Claim::Device { function, generation, bar }) => {
                function.write(*generation, *bar, u64::from(offset), width, value)
            }
        };
        done.map_or_else(Outcome::exception, |()| Outcome::EMPTY)
    }

    pub(super) fn read8(&self, call: &mut Call<'_>, params: Read8Params) -> Outcome {
        match self.read((params.offset, Width::One), |ports| ports.read8(params.offset), |it| it as u8) {
            Ok(value) => call.reply(&Read8Results { value }),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn read16(&self, call: &mut Call<'_>, params: Read16Params) -> Outcome {
        match self.read((params.offset, Width::Two), |ports| ports.read16(params.offset), |it| it as u16) {
            Ok(value) => call.reply(&Read16Results { value }),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn read32(&self, call: &mut Call<'_>, params: Read32Params) -> Outcome {
        match self.read((params.offset, Width::Four), |ports| ports.read32(params.offset), |it| it as u32) {
            Ok(value) => call.reply(&Read32Results { value }),
            Err(outcome) => outcome,
        }
    }

    pub(super) fn write8(&self, _call: &mut Call<'_>, params: Write8Params) -> Outcome {
        let access = (params.offset, Width::One, u64::from(params.value));
        self.write(access, |ports| ports.write8(params.offset, params.value))
    }

    pub(super) fn write16(&self, _call: &mut Call<'_>, params: Write16Params) -> Outcome {
        let access = (params.offset, Width::Two, u64::from(params.value));
        self.write(access, |ports| ports.write16(params.offset, params.value))
    }

    pub(super) fn write32(&self, _call: &mut Call<'_>, params: Write32Params) -> Outcome {
        let access = (params.offset, Width::Four, u64::from(params.value));
        self.write(access, |ports| ports.write32(params.offset, params.value))
    }

    pub(super) fn write_bytes(&self, _call: &mut Call<'_>, params: WriteBytesParams<'_>) -> Outcome {
        match self.claim.as_deref() {
            Some(Claim::Ports { ports, .. }) => match ports.write_bytes(params.offset, params.data) {
                Ok(()) => Outcome::EMPTY,
                Err(OutOfRange) => Outcome::exception(ExceptionCode::InvalidArgument),
            },
            None | Some(Claim::Device { .. }) => Outcome::exception(ExceptionCode::Denied),
        }
    }

    pub(super) fn read_bytes(&self, call: &mut Call<'_>, params: ReadBytesParams) -> Outcome {
        if !call.has_room(16 + usize::from(params.length)) {
            return Outcome::error(TransportError::ReplyTooLarge);
        }
        let mut buffer = [0; READ_MAX];
        let Some(data) = buffer.get_mut(..usize::from(params.length)) else {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        };
        match self.claim.as_deref() {
            Some(Claim::Ports { ports, .. }) => match ports.read_bytes(params.offset, data) {
                Ok(()) => call.reply_large(&ReadBytesResults { data }),
                Err(OutOfRange) => Outcome::exception(ExceptionCode::InvalidArgument),
            },
            None | Some(Claim::Device { .. }) => Outcome::exception(ExceptionCode::Denied),
        }
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        call.reply(&InfoResults { base: self.base, length: self.length })
    }

    pub(super) fn subrange(&self, call: &mut Call<'_>, params: SubrangeParams) -> Outcome {
        let SubrangeParams { base, length } = params;
        if matches!(self.claim.as_deref(), Some(Claim::Device { .. })) {
            return Outcome::exception(ExceptionCode::Denied);
        }
        let (first, end) = (u32::from(base), u32::from(base).saturating_add(length));
        if length == 0 || first < u32::from(self.base) || end > u32::from(self.base) + self.length {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        let ports = match PortRange::claim(base, length) {
            Ok(ports) => ports,
            Err(PortError::Reserved) => return Outcome::exception(ExceptionCode::Denied),
            Err(PortError::InvalidRange) => return Outcome::exception(ExceptionCode::InvalidArgument),
        };
        let Ok(claim) = Ref::try_new(Claim::Ports { ports, holds_com1: AtomicBool::new(false) }) else {
            return Outcome::exception(ExceptionCode::OutOfMemory);
        };
        match call.give_facet(Object::IoPort(IoPort { base, length, claim: Some(claim.clone()) })) {
            Ok(()) => {
                claim.take_effect();
                call.reply(&SubrangeResults)
            }
            Err(outcome) => outcome,
        }
    }
}
