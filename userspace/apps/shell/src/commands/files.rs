//! Boot files.

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::{Align, Table, size};
use rt::ExceptionCode;
use rt::generated::BootPackageClient;

/// Bytes of a file that are shown at most.
const SHOWN: u64 = 64 * 1024;

/// Bytes that one read of an object gives at most.
const READ: u32 = 3072;

/// Every boot file with its size.
pub async fn list(session: &Session) -> Result<String, Trouble> {
    let mut table = Table::new(&[("SIZE", Align::Right), ("NAME", Align::Left)]);
    for (name, bytes) in session.boot_files().await? {
        table.row([size(bytes), name]);
    }
    Ok(table.render())
}

/// A file as text, cut when it is long; what is no text is refused.
pub async fn show(session: &Session, name: &str) -> Result<String, Trouble> {
    let boot = session.held.client::<BootPackageClient>("boot")?;
    let file = match boot.open(name).await {
        Ok(file) => file,
        Err(error) if error.exception() == Some(ExceptionCode::NotFound) => {
            return Err(Trouble::Say(format!("no boot file `{name}`; `ls` lists them")));
        }
        Err(error) => return Err(Trouble::Call(String::from(name), error)),
    };
    let wanted = file.size.min(SHOWN);
    let mut bytes: Vec<u8> = Vec::new();
    while (bytes.len() as u64) < wanted {
        let left = (wanted - bytes.len() as u64).min(u64::from(READ)) as u32;
        let part = file.object.read(bytes.len() as u64, left).await.map_err(Trouble::about(name))?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
    }
    let binary = Trouble::Say(format!("`{name}` is not text ({})", size(file.size)));
    if bytes.contains(&0) {
        return Err(binary);
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // A cut may have split the last character.
        Err(error) if file.size > SHOWN => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        Err(_) => return Err(binary),
    };
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if file.size > SHOWN {
        text.push_str(&format!("... {} in all\n", size(file.size)));
    }
    Ok(text)
}
