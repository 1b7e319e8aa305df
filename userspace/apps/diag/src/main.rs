//! The diagnostics console: the commands of the library at a prompt of their own. The `diag` system boots straight into it.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use alloc::vec::Vec;
use diag::{EXIT, Sources, answer};
use rt::generated::{
    ConsoleClient, DisksClient, HardwareAuditLogClient, InspectorClient, LogReaderClient,
    NetworkManagerClient, PowerClient, ServicesClient, SystemInfoClient, VolumeClient, WallClockClient,
};
use rt::{CallError, Env, ExceptionCode, block_on, log};

rt::main!(run);

const PROMPT: &str = "diag> ";

/// Bytes of text that one write to the console carries.
const CHUNK: usize = 3000;

/// Exit code of programs that lack a capability.
const LACKING: i64 = 2;

fn run(mut env: Env) -> i64 {
    let console = match env.client::<ConsoleClient>("console") {
        Ok(console) => console,
        Err(error) => {
            log::error(format_args!("{error}"));
            return LACKING;
        }
    };
    let system = env.client::<SystemInfoClient>("system").ok();
    let wall_clock = env.client::<WallClockClient>("wall_clock").ok();
    let log_reader = env.client::<LogReaderClient>("log_reader").ok();
    let hardware_log = env.client::<HardwareAuditLogClient>("hardware_log").ok();
    let power = env.client::<PowerClient>("power").ok();
    let inspector = env.client::<InspectorClient>("inspector").ok();
    let services = env.client::<ServicesClient>("services").ok();
    let disks = env.client::<DisksClient>("disks").ok();
    let volume = env.client::<VolumeClient>("volume").ok();
    let network = env.client::<NetworkManagerClient>("network").ok();
    let sources = Sources {
        system: system.as_ref(),
        wall_clock: wall_clock.as_ref(),
        log_reader: log_reader.as_ref(),
        hardware_log: hardware_log.as_ref(),
        inspector: inspector.as_ref(),
        services: services.as_ref(),
        disks: disks.as_ref(),
        volume: volume.as_ref(),
        network: network.as_ref(),
        power: power.as_ref(),
    };
    let words: Vec<&str> = env.args().collect();
    let result = block_on(async {
        if words.is_empty() {
            converse(&console, sources).await
        } else {
            print(&console, &answer(sources, &words).await).await
        }
    });
    i64::from(result.is_err())
}

/// Prompt, command, answer, until `exit` or the end of the input: Ctrl-D at a terminal, at once in the background.
///
/// Where nothing else runs, as in the `diag` system, the manifest starts it again.
async fn converse(console: &ConsoleClient, sources: Sources<'_>) -> Result<(), CallError> {
    print(console, "capOS diagnostics. `help` lists the commands; add --json for programs.\n").await?;
    loop {
        let line = match console.read_line(PROMPT).await {
            Ok(line) => line,
            Err(error) if error.exception() == Some(ExceptionCode::EndOfStream) => break,
            Err(error) => return Err(error),
        };
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [word] if EXIT.contains(word) => break,
            words => print(console, &answer(sources, words).await).await?,
        }
    }
    print(console, "Bye.\n").await
}

/// Writes text of any length.
async fn print(console: &ConsoleClient, text: &str) -> Result<(), CallError> {
    let mut rest = text;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(rest.floor_char_boundary(CHUNK));
        console.write(now).await?;
        rest = later;
    }
    Ok(())
}
