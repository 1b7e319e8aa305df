//! The three layers of error, and whose fault each was.

/// Whose fault an error was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Blame {
    /// Whoever submitted the operation.
    Caller = 1,
    /// Whoever serves the object.
    Callee = 2,
    /// A device.
    Device = 3,
    /// Nobody: a timeout or a cancellation that was asked for.
    Nobody = 4,
}

/// Layer 1, transport: the operation did not reach an answer. Travels as a negative completion result.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(i32)]
pub enum TransportError {
    /// No such operation or system call.
    UnknownOp = -1,
    /// Offsets, lengths, flags or reserved fields out of range.
    InvalidArgument = -2,
    /// The capability id names nothing, or something that is gone.
    InvalidCap = -3,
    /// The capability has another interface than the caller says.
    WrongInterface = -4,
    /// The operation does not apply to this kind of object.
    WrongKind = -5,
    /// The interface has no such method.
    UnknownMethod = -6,
    /// The receiver's buffer is too small for the message.
    MessageTooLarge = -7,
    /// The caller's reply buffer is too small for the answer.
    ReplyTooLarge = -8,
    /// The object's server is gone.
    Disconnected = -9,
    /// The object's queue is full.
    QueueFull = -10,
    /// The submitter's budget is used up.
    BudgetExhausted = -11,
    /// The other side has no room for the capabilities.
    PeerBudgetExhausted = -12,
    /// Cancelled by its submitter, or what it waited at was given up or masked.
    Canceled = -13,
    /// Its time ran out.
    TimedOut = -14,
    /// The capability may not be transferred in this way.
    NotTransferable = -15,
    /// The token names no call that waits for an answer.
    StaleToken = -16,
    /// Too many operations of this thread are pending.
    TooManyInFlight = -17,
    /// The machine has no memory left.
    OutOfMemory = -18,
    /// The message is not a well-formed parameter struct of the method.
    BadMessage = -19,
    /// The ring indices are corrupt; nothing was taken.
    CorruptRing = -20,
    /// The capability was revoked while the operation was under way, or it is being revoked.
    Revoked = -21,
}

impl TransportError {
    /// Every error, for tables and tests.
    pub const ALL: [TransportError; 21] = [
        Self::UnknownOp,
        Self::InvalidArgument,
        Self::InvalidCap,
        Self::WrongInterface,
        Self::WrongKind,
        Self::UnknownMethod,
        Self::MessageTooLarge,
        Self::ReplyTooLarge,
        Self::Disconnected,
        Self::QueueFull,
        Self::BudgetExhausted,
        Self::PeerBudgetExhausted,
        Self::Canceled,
        Self::TimedOut,
        Self::NotTransferable,
        Self::StaleToken,
        Self::TooManyInFlight,
        Self::OutOfMemory,
        Self::BadMessage,
        Self::CorruptRing,
        Self::Revoked,
    ];

    /// Decodes a completion result; `None` when it is not one of ours (in particular when it is not negative).
    pub fn from_code(code: i32) -> Option<TransportError> {
        let index = usize::try_from(code.checked_neg()?.checked_sub(1)?).ok()?;
        Self::ALL.get(index).copied()
    }

    /// The completion result.
    pub const fn code(self) -> i32 {
        self as i32
    }

    /// Whose fault it was.
    pub const fn blame(self) -> Blame {
        match self {
            Self::Disconnected
            | Self::QueueFull
            | Self::MessageTooLarge
            | Self::PeerBudgetExhausted
            | Self::Revoked => Blame::Callee,
            Self::Canceled | Self::TimedOut | Self::OutOfMemory => Blame::Nobody,
            _ => Blame::Caller,
        }
    }
}

/// Layer 2, exceptions: the object answered that it could not do it. Travels in the completion's `method` field.
///
/// Carries no address and no data of others. Ordinary results (layer 3) are unions of the schema.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u16)]
pub enum ExceptionCode {
    /// The object failed for a reason of its own.
    Failed = 1,
    /// A parameter is out of range.
    InvalidArgument = 2,
    /// No such thing.
    NotFound = 3,
    /// The object is not in a state in which it can do this.
    WrongState = 4,
    /// The caller's budget is used up.
    BudgetExhausted = 5,
    /// The machine has no memory left.
    OutOfMemory = 6,
    /// This facet does not allow it.
    Denied = 7,
    /// The machine lacks what it takes.
    Unsupported = 8,
    /// Already taken or already there.
    Exists = 9,
    /// The object is gone, or a thing it depends on.
    Disconnected = 10,
    /// The file, image or message is malformed.
    Malformed = 11,
    /// A device misbehaved.
    DeviceFault = 12,
    /// The end of a stream.
    EndOfStream = 13,
}

impl ExceptionCode {
    /// Every code, for tables and tests.
    pub const ALL: [ExceptionCode; 13] = [
        Self::Failed,
        Self::InvalidArgument,
        Self::NotFound,
        Self::WrongState,
        Self::BudgetExhausted,
        Self::OutOfMemory,
        Self::Denied,
        Self::Unsupported,
        Self::Exists,
        Self::Disconnected,
        Self::Malformed,
        Self::DeviceFault,
        Self::EndOfStream,
    ];

    /// Decodes a completion's `method` field. A server may send a number we do not know: that is [`ExceptionCode::Failed`].
    pub fn from_code(code: u16) -> ExceptionCode {
        Self::ALL.get(usize::from(code).wrapping_sub(1)).copied().unwrap_or(Self::Failed)
    }

    /// The number.
    pub const fn code(self) -> u16 {
        self as u16
    }

    /// Whose fault it was.
    pub const fn blame(self) -> Blame {
        match self {
            Self::InvalidArgument | Self::NotFound | Self::WrongState | Self::BudgetExhausted => {
                Blame::Caller
            }
            Self::Denied | Self::Exists | Self::Malformed => Blame::Caller,
            Self::Failed | Self::Unsupported | Self::Disconnected => Blame::Callee,
            Self::DeviceFault => Blame::Device,
            Self::OutOfMemory | Self::EndOfStream => Blame::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ExceptionCode, TransportError};

    #[test]
    fn transport_codes_round_trip_and_strangers_are_refused() {
        for error in TransportError::ALL {
            assert_eq!(TransportError::from_code(error.code()), Some(error));
        }
        for code in [0, 1, i32::MAX, -22, i32::MIN] {
            assert_eq!(TransportError::from_code(code), None);
        }
    }

    #[test]
    fn exception_codes_round_trip_and_strangers_are_failures() {
        for code in ExceptionCode::ALL {
            assert_eq!(ExceptionCode::from_code(code.code()), code);
        }
        for code in [0, 14, u16::MAX] {
            assert_eq!(ExceptionCode::from_code(code), ExceptionCode::Failed);
        }
    }
}
