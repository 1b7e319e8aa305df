//! What is in a file.

use crate::{MEMORY, Probe};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt::Write;
use rt::CallError;
use rt::generated::FileClient;

/// Bytes that are read in messages, too.
const ALSO: u64 = 10_000;

/// All of it, through attached memory; the beginning in messages as well. None when it is not the same both ways.
pub async fn read(probe: &Probe, file: &FileClient) -> Result<Option<Vec<u8>>, CallError> {
    let size = file.stat().await?.size;
    file.attach(&probe.object).await?;
    let mut all = Vec::new();
    while (all.len() as u64) < size {
        let count = file.read_into(all.len() as u64, 0, MEMORY as u32).await?;
        let mut piece = vec![0; count as usize];
        if count == 0 || !probe.memory.read(0, &mut piece) {
            return Ok(None);
        }
        all.extend(piece);
    }
    let mut again = Vec::new();
    while (again.len() as u64) < size.min(ALSO) {
        let piece = file.read(again.len() as u64, 777).await?;
        if piece.is_empty() {
            return Ok(None);
        }
        again.extend(piece);
    }
    let is_same =
        all.starts_with(&again) && all.len() as u64 == size && file.read(size, 10).await?.is_empty();
    Ok(is_same.then_some(all))
}

/// Whether these are the numbers from 1 on, one a line.
pub fn is_seq(bytes: &[u8]) -> bool {
    let mut wanted = Wanted { left: bytes };
    (1_u64..).any(|number| writeln!(wanted, "{number}").is_err() || wanted.left.is_empty())
        && wanted.left.is_empty()
}

/// What is to be written there is what is there.
struct Wanted<'a> {
    left: &'a [u8],
}

impl Write for Wanted<'_> {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        let Some(left) = self.left.strip_prefix(text.as_bytes()) else { return Err(core::fmt::Error) };
        self.left = left;
        Ok(())
    }
}
