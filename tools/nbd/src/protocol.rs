//! What goes over the socket: `doc/proto.md` of the nbd project, its fixed newstyle handshake and simple replies. All numbers are
//! big-endian.

use std::io::{self, Read, Write};

/// "Value of 0x00420281861253 for oldstyle; IHAVEOPT for newstyle": both ends of the handshake say it.
const OPTIONS: u64 = u64::from_be_bytes(*b"IHAVEOPT");
const OPTION_REPLY: u64 = 0x3_e889_0455_65a9;
const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
/// Handshake flags: fixed newstyle, and no zeroes behind an export's size.
const HANDSHAKE: u16 = 3;
/// Transmission flags: there are some; flush; forced unit access; trim; write zeroes.
const TRANSMISSION: u16 = 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6;
const OPT_EXPORT_NAME: u32 = 1;
const OPT_ABORT: u32 = 2;
const OPT_INFO: u32 = 6;
const OPT_GO: u32 = 7;
const REP_ACK: u32 = 1;
const REP_INFO: u32 = 3;
const REP_UNSUPPORTED: u32 = 1 << 31 | 1;
const INFO_EXPORT: u16 = 0;
/// Command flag: durable before it is answered.
const FUA: u16 = 1;
/// More bytes than this nobody sends at once.
const MOST: u32 = 64 << 20;

/// What a client wants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    /// So many bytes from there.
    Read(u64, u32),
    /// These bytes go there; whether they are to be durable by themselves.
    Write(u64, Vec<u8>, bool),
    /// Zeros go there.
    Zero(u64, u32, bool),
    /// What is there is not wanted any more.
    Trim(u64, u32),
    /// What was written and answered is to be durable.
    Flush,
    /// Something else.
    Unknown,
}

impl Command {
    /// The bytes that it is about: from where on, and how many.
    pub fn range(&self) -> (u64, u64) {
        match self {
            Command::Read(offset, length)
            | Command::Zero(offset, length, _)
            | Command::Trim(offset, length) => (*offset, u64::from(*length)),
            Command::Write(offset, bytes, _) => (*offset, bytes.len() as u64),
            Command::Flush | Command::Unknown => (0, 0),
        }
    }
}

/// One request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// By which the client knows the reply.
    pub cookie: u64,
    /// What it wants.
    pub command: Command,
}

/// Why a request failed, as numbers of the protocol.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The file failed.
    Io = 5,
    /// It makes no sense.
    Invalid = 22,
}

fn number<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn bytes(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    if length > MOST {
        return Err(io::Error::other(format!("{length} bytes at once")));
    }
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Comes to terms with a client about a disk of so many bytes; false when it does not want one.
pub fn shake_hands(client: &mut (impl Read + Write), size: u64) -> io::Result<bool> {
    client.write_all(&[*b"NBDMAGIC", OPTIONS.to_be_bytes()].concat())?;
    client.write_all(&HANDSHAKE.to_be_bytes())?;
    number::<4>(client)?;
    loop {
        if u64::from_be_bytes(number(client)?) != OPTIONS {
            return Err(io::Error::other("this is no client of a network block device"));
        }
        let option = u32::from_be_bytes(number(client)?);
        let length = u32::from_be_bytes(number(client)?);
        bytes(client, length)?;
        let export = [&size.to_be_bytes()[..], &TRANSMISSION.to_be_bytes()].concat();
        match option {
            OPT_EXPORT_NAME => {
                client.write_all(&export)?;
                return Ok(true);
            }
            OPT_INFO | OPT_GO => {
                let info = [&INFO_EXPORT.to_be_bytes()[..], &export].concat();
                answer(client, option, REP_INFO, &info)?;
                answer(client, option, REP_ACK, &[])?;
                if option == OPT_GO {
                    return Ok(true);
                }
            }
            OPT_ABORT => {
                answer(client, option, REP_ACK, &[])?;
                return Ok(false);
            }
            _ => answer(client, option, REP_UNSUPPORTED, &[])?,
        }
    }
}

fn answer(client: &mut impl Write, option: u32, kind: u32, data: &[u8]) -> io::Result<()> {
    let length = data.len() as u32;
    let head = [option.to_be_bytes(), kind.to_be_bytes(), length.to_be_bytes()].concat();
    client.write_all(&[&OPTION_REPLY.to_be_bytes()[..], &head, data].concat())
}

/// The next request; `None` when the client leaves.
pub fn request(client: &mut impl Read) -> io::Result<Option<Request>> {
    if u32::from_be_bytes(number(client)?) != REQUEST {
        return Err(io::Error::other("this is no request"));
    }
    let is_durable = u16::from_be_bytes(number(client)?) & FUA != 0;
    let kind = u16::from_be_bytes(number(client)?);
    let cookie = u64::from_be_bytes(number(client)?);
    let offset = u64::from_be_bytes(number(client)?);
    let length = u32::from_be_bytes(number(client)?);
    let command = match kind {
        0 => Command::Read(offset, length),
        1 => Command::Write(offset, bytes(client, length)?, is_durable),
        2 => return Ok(None),
        3 => Command::Flush,
        4 => Command::Trim(offset, length),
        6 => Command::Zero(offset, length, is_durable),
        _ => Command::Unknown,
    };
    Ok(Some(Request { cookie, command }))
}

/// Answers a request, with what was read.
pub fn reply(client: &mut impl Write, cookie: u64, done: Result<&[u8], Refusal>) -> io::Result<()> {
    let (error, data) = done.map_or_else(|refusal| (refusal as u32, &[][..]), |data| (0, data));
    let head = [REPLY.to_be_bytes(), error.to_be_bytes()].concat();
    client.write_all(&[&head, &cookie.to_be_bytes()[..], data].concat())
}
