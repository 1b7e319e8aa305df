//! The last crash records of each service. Init keeps them, so that they outlive the supervisor, too.

use crate::adopt::MEMORY;
use crate::state::{Known, State};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_restart::{Crash, Last};
use rt::generated::process_handle::CrashReply;
use rt::{CallError, log};

/// The first page of notes that holds one; the latest is there.
pub const FIRST: u8 = MEMORY + 1;

/// So many are kept of each service.
pub const KEPT: u8 = 4;

/// Return addresses that the log shows.
const FRAMES: usize = 12;

/// Keeps the record of a process that has ended by a fault, with what it did last, and shows it in the log.
pub async fn keep(state: &State, service: usize, known: &Known, last: Last) {
    let reply = match known.handle.crash().await {
        Ok(reply) => reply,
        Err(error) => {
            log::error(format_args!("{}: no crash record: {error}", state.name(service)));
            return;
        }
    };
    let crash = Crash { program: known.program.clone(), time_ns: state.now(), last, ..of(&reply) };
    log::error(format_args!("{}: {}", state.name(service), describe(&crash)));
    if let Err(error) = store(state, service, &crash).await {
        log::error(format_args!("crash record: {error}"));
    }
}

/// Moves the others one page on. A supervisor that dies meanwhile leaves one twice, or finds that it is kept already.
async fn store(state: &State, service: usize, crash: &Crash) -> Result<(), CallError> {
    let number = service as u32;
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for page in FIRST..FIRST + KEPT {
        kept.push(state.keeper.noted(number, page).await?);
    }
    let latest = kept.first().and_then(|bytes| Crash::decode(bytes));
    if latest.is_some_and(|latest| latest.last.epoch == crash.last.epoch) {
        return Ok(());
    }
    for (page, bytes) in (FIRST + 1..FIRST + KEPT).zip(&kept).rev() {
        state.keeper.note(number, page, bytes).await?;
    }
    state.keeper.note(number, FIRST, &crash.encode()).await
}

/// One that was kept: 0 is the latest.
pub async fn kept(state: &State, service: usize, index: u32) -> Option<Crash> {
    let page = u8::try_from(index).ok().filter(|index| *index < KEPT)?;
    let bytes = state.keeper.noted(service as u32, FIRST + page).await.ok()?;
    Crash::decode(&bytes)
}

fn of(reply: &CrashReply) -> Crash {
    Crash {
        vector: reply.vector,
        error_code: reply.error_code,
        address: reply.address,
        thread: reply.thread,
        registers: [
            reply.rip,
            reply.rsp,
            reply.rbp,
            reply.rax,
            reply.rbx,
            reply.rcx,
            reply.rdx,
            reply.rsi,
            reply.rdi,
            reply.r8,
            reply.r9,
            reply.r10,
            reply.r11,
            reply.r12,
            reply.r13,
            reply.r14,
            reply.r15,
            reply.rflags,
            reply.fs_base,
        ],
        backtrace: reply
            .backtrace
            .as_chunks::<8>()
            .0
            .iter()
            .map(|frame| u64::from_le_bytes(*frame))
            .collect(),
        ..Crash::default()
    }
}

/// On one line; `crash NAME` at the shell shows the rest.
fn describe(crash: &Crash) -> String {
    let mut text = format!("{}, rip {:#x}", crash.cause(), crash.rip());
    for (number, frame) in crash.backtrace.iter().take(FRAMES).enumerate() {
        let lead = if number == 0 { ", called from" } else { "" };
        text.push_str(&format!("{lead} {frame:#x}"));
    }
    text
}
