//! `DeviceMmio`: registers of a device.

use super::{Call, Outcome};
use crate::device::Refused;
use crate::device::function::Function;
use capos_abi::{ExceptionCode, TransportError};
use capos_schema::device_mmio::{
    BatchParams, BatchResults, InfoResults, MapParams, MapResults, ReadParams, ReadResults, WriteParams,
};
use kernel_hal::Width;
use kernel_hal::sync::Ref;

/// Bytes of an access in a batch, and of its answer.
const ACCESS: usize = 16;
const VALUE: usize = 8;
/// Accesses of a batch at most.
const MOST: usize = 128;

/// The registers behind one base address register.
#[derive(Clone)]
pub(crate) struct DeviceMmio {
    function: Ref<Function>,
    generation: u32,
    bar: u8,
}

/// One access of a batch.
struct Access {
    offset: u64,
    width: Width,
    write: Option<u64>,
}

impl Access {
    fn parse(bytes: &[u8; ACCESS]) -> Option<Access> {
        let [a, b, c, d, width, write, _, _, value @ ..] = *bytes;
        let value = u64::from_le_bytes(value);
        Some(Access {
            offset: u64::from(u32::from_le_bytes([a, b, c, d])),
            width: Width::of(width)?,
            write: match write {
                0 => None,
                1 => Some(value),
                _ => return None,
            },
        })
    }
}

fn width(bytes: u8) -> Result<Width, Refused> {
    Width::of(bytes).ok_or(ExceptionCode::InvalidArgument)
}

impl DeviceMmio {
    /// Those of generation `generation` of a function.
    pub fn new(function: &Ref<Function>, generation: u32, bar: u8) -> Self {
        DeviceMmio { function: function.clone(), generation, bar }
    }

    /// Whose it is: bus << 8 | device << 3 | function.
    pub fn address(&self) -> u32 {
        self.function.address()
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        match self.function.of(self.generation).map(|state| state.window(self.bar).map_or(0, |it| it.size()))
        {
            Ok(size) => call.reply(&InfoResults { size }),
            Err(refused) => Outcome::exception(refused),
        }
    }

    fn read_one(&self, offset: u64, bytes: u8) -> Result<u64, Refused> {
        self.function.read(self.generation, self.bar, offset, width(bytes)?)
    }

    pub(super) fn read(&self, call: &mut Call<'_>, params: ReadParams) -> Outcome {
        match self.read_one(u64::from(params.offset), params.width) {
            Ok(value) => call.reply(&ReadResults { value }),
            Err(refused) => Outcome::exception(refused),
        }
    }

    fn write_one(&self, params: &WriteParams) -> Result<(), Refused> {
        let width = width(params.width)?;
        self.function.write(self.generation, self.bar, u64::from(params.offset), width, params.value)
    }

    pub(super) fn write(&self, _call: &mut Call<'_>, params: WriteParams) -> Outcome {
        match self.write_one(&params) {
            Ok(()) => Outcome::EMPTY,
            Err(refused) => Outcome::exception(refused),
        }
    }

    fn refuse(&self, refused: Refused, offset: u32) -> Outcome {
        if refused == ExceptionCode::Denied {
            self.function.note_refused(self.generation, u64::from(self.bar) << 32 | u64::from(offset));
        }
        Outcome::exception(refused)
    }

    pub(super) fn batch(&self, call: &mut Call<'_>, params: BatchParams<'_>) -> Outcome {
        let (accesses, rest) = params.accesses.as_chunks::<ACCESS>();
        if !rest.is_empty() || accesses.len() > MOST {
            return Outcome::exception(ExceptionCode::InvalidArgument);
        }
        if !call.has_room(16 + VALUE * accesses.len()) {
            return Outcome::error(TransportError::ReplyTooLarge);
        }
        let mut buffer = [0; VALUE * MOST];
        let values = buffer.get_mut(..VALUE * accesses.len()).unwrap_or_default();
        match self.carry_out(accesses, values) {
            Ok(()) => call.reply_large(&BatchResults { values }),
            Err((refused, offset)) => self.refuse(refused, offset),
        }
    }

    /// All or nothing, as far as what may be done is concerned.
    fn carry_out(&self, accesses: &[[u8; ACCESS]], values: &mut [u8]) -> Result<(), (Refused, u32)> {
        let mut state = self.function.of(self.generation).map_err(|refused| (refused, 0))?;
        let parsed = || accesses.iter().map(Access::parse);
        for access in parsed() {
            let Some(Access { offset, width, write }) = access else {
                return Err((ExceptionCode::InvalidArgument, 0));
            };
            let checked = match write {
                Some(value) => state.check_write(self.bar, offset, width, value).map(drop),
                None => state.may_read(self.bar, offset, width),
            };
            checked.map_err(|refused| (refused, offset as u32))?;
        }
        let (values, _) = values.as_chunks_mut::<VALUE>();
        for (access, value) in parsed().flatten().zip(values) {
            let Access { offset, width, write } = access;
            let done = match write {
                Some(word) => state.write(self.bar, offset, width, word).map(|()| 0),
                None => state.read(self.bar, offset, width),
            };
            *value = done.map_err(|refused| (refused, offset as u32))?.to_le_bytes();
        }
        Ok(())
    }

    pub(super) fn map(&self, call: &mut Call<'_>, params: MapParams) -> Outcome {
        let (offset, size) = (u64::from(params.offset), u64::from(params.size));
        let process = call.process();
        match self.function.map(self.generation, self.bar, (offset, size), params.writable, process) {
            Ok(address) => call.reply(&MapResults { address }),
            Err(refused) => self.refuse(refused, params.offset),
        }
    }
}
