//! Bytes of files on their way to the screen, or out of a pipe.

use super::path::shown;
use super::walk::{self, Source};
use super::{copy, refused_at};
use crate::lend::LentPipe;
use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_text::size;
use rt::{CallError, ExceptionCode};

/// Bytes of a file that are shown at most.
const SHOWN: u64 = 64 * 1024;

/// Bytes that a command hands to a pipe at most.
const WHOLE: u64 = 4 << 20;

/// Bytes that one read asks for.
const READ: u32 = 3072;

/// A file as text. `cat` is for people and cuts what is long; `get` is all of it, or an error.
pub async fn text(session: &Session, word: &str, whole: bool) -> Result<String, Trouble> {
    let path = walk::path(session, word).await?;
    let source = walk::source(session, &path).await?;
    let (total, most) = (source.size(), if whole { WHOLE } else { SHOWN });
    if whole && total > most {
        return Err(Trouble::Say(format!(
            "{path} has {}, and a pipe takes {} of text at most: `cp` copies files",
            size(total),
            size(most)
        )));
    }
    let bytes = bytes(&source, total.min(most)).await.map_err(refused_at(&path))?;
    let binary = Trouble::Say(format!("{path} is not text ({})", size(total)));
    if bytes.contains(&0) {
        return Err(binary);
    }
    let mut text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // A cut may have split the last character.
        Err(error) if total > most => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        Err(_) => return Err(binary),
    };
    if !whole && !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    if total > most {
        text.push_str(&format!("... {} in all\n", size(total)));
    }
    Ok(text)
}

async fn bytes(source: &Source, wanted: u64) -> Result<Vec<u8>, CallError> {
    let mut bytes: Vec<u8> = Vec::new();
    while (bytes.len() as u64) < wanted {
        let left = (wanted - bytes.len() as u64).min(u64::from(READ)) as u32;
        let part = source.read(bytes.len() as u64, left).await?;
        if part.is_empty() {
            break;
        }
        bytes.extend(part);
    }
    Ok(bytes)
}

/// Where the bytes of `put` come from.
pub enum Input<'a> {
    Text(&'a str),
    Pipe(&'a LentPipe),
}

/// Makes a file of what comes, in place of what had the name.
pub async fn put(session: &Session, word: &str, input: Input<'_>) -> Result<String, Trouble> {
    let path = walk::path(session, word).await?;
    let (directory, name) = walk::parent(session, &path, true).await?;
    if path.is_directory {
        return Err(Trouble::Say(format!("{path}/ would be a directory, and `put` makes files")));
    }
    let total = copy::as_a_whole(session, &directory, &path, async |file| {
        let mut offset = 0;
        match input {
            Input::Text(text) => {
                for piece in text.as_bytes().chunks(READ as usize) {
                    file.write(offset, piece).await?;
                    offset += piece.len() as u64;
                }
            }
            Input::Pipe(pipe) => loop {
                match pipe.read(READ).await {
                    Ok(piece) => {
                        file.write(offset, &piece).await?;
                        offset += piece.len() as u64;
                    }
                    Err(exception) if exception.code() == ExceptionCode::EndOfStream => break,
                    Err(exception) => return Err(CallError::Exception(exception)),
                }
            },
        }
        Ok(offset)
    });
    Ok(format!("{} in {}\n", size(total.await?), shown(name)))
}
