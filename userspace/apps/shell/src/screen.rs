//! Text on its way to the console.

use crate::trouble::Trouble;
use rt::generated::ConsoleClient;

/// Bytes of text that one write carries.
const CHUNK: usize = 3000;

/// Writes text of any length.
pub async fn print(console: &ConsoleClient, text: &str) -> Result<(), Trouble> {
    let mut rest = text;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.floor_char_boundary(CHUNK));
        console.write(now).await.map_err(Trouble::Terminal)?;
        rest = later;
    }
    Ok(())
}
