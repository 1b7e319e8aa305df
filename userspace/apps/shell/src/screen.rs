//! Text on its way to the console.

use crate::keyboard::PATIENCE;
use crate::trouble::Trouble;
use rt::CallError;
use rt::generated::ConsoleClient;

/// Bytes of text that one write carries.
const CHUNK: usize = 3000;

/// Writes text of any length.
pub async fn print(console: &ConsoleClient, text: &str) -> Result<(), Trouble> {
    let mut rest = text;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.floor_char_boundary(CHUNK));
        write(console, now).await.map_err(Trouble::Terminal)?;
        rest = later;
    }
    Ok(())
}

/// One write; again if the console is restarted under it.
async fn write(console: &ConsoleClient, text: &str) -> Result<(), CallError> {
    let mut lost = 0;
    loop {
        match console.write(text).await {
            Err(error) if error.is_disconnect() && lost < PATIENCE => lost += 1,
            result => return result,
        }
    }
}
