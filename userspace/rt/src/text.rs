//! Where a simple program puts its text.

use crate::env::{Env, EnvError};
use crate::generated::{ByteStreamClient, ConsoleClient};
use crate::ipc::CallError;

/// Bytes that one write carries: any text of this length fits a message of either interface.
const CHUNK: usize = 3000;

/// The capability granted as `stdout`, or else the one granted as `console`.
pub enum Sink {
    /// Bytes.
    Stream(ByteStreamClient),
    /// Text for a person.
    Console(ConsoleClient),
}

impl Sink {
    /// Finds it among the grants.
    pub fn find(env: &mut Env) -> Result<Sink, EnvError> {
        match env.client("stdout") {
            Ok(stream) => Ok(Sink::Stream(stream)),
            Err(EnvError::Missing(_)) => env.client("console").map(Sink::Console),
            Err(error) => Err(error),
        }
    }

    /// Writes all of it. A console shows what is no UTF-8 as replacement characters.
    pub fn write(&self, bytes: &[u8]) -> Result<(), CallError> {
        for chunk in bytes.chunks(CHUNK / 3) {
            match self {
                Sink::Stream(stream) => stream.write_blocking(chunk)?,
                Sink::Console(console) => {
                    console.write_blocking(&alloc::string::String::from_utf8_lossy(chunk))?
                }
            }
        }
        Ok(())
    }
}
