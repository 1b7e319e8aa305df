//! A client of a medium that others wrote: it reads all of it, tries to change it, and says what it found. Files named `*.seq` are to have what the
//! command `seq` writes.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod content;
mod killer;
mod rules;
mod walk;

use probe::{Fields, Report, number};
use rt::generated::{DirectoryClient, MemoryObjectClient, NamespaceClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, Env, block_on};
use walk::Walk;

rt::main!(run);

/// Bytes of the memory that files are read into.
pub const MEMORY: u64 = 64 << 10;

/// What it is given, and has.
pub struct Probe {
    /// Who hears of it.
    pub report: Report,
    /// Where everything begins.
    pub root: NamespaceClient,
    /// The same.
    pub directory: DirectoryClient,
    /// What files are read into.
    pub object: MemoryObjectClient,
    /// The same, mapped.
    pub memory: Region,
}

fn run(mut env: Env) -> i64 {
    let walks = number(&env, "walks", 1);
    let kills = killer::start(&mut env);
    let Ok(probe) = Probe::new(&mut env) else { return 2 };
    let done = block_on(all(&probe, walks));
    if let Err(error) = &done {
        probe.report.check("the medium", false, error);
    }
    if let Some(kills) = kills {
        probe.report.event("media.kills", Fields::new().value("kills", kills.get()));
    }
    probe.report.finish(u8::from(done.is_err()))
}

async fn all(probe: &Probe, walks: u64) -> Result<(), CallError> {
    // What can not be served is told, to everybody and each time.
    if let Err(refused) = probe.root.list("").await {
        let again = probe.directory.list("").await;
        probe.report.check(
            "it is refused again",
            again.is_err_and(|again| again.exception() == refused.exception()),
            "",
        );
        let code = refused.exception().map_or_else(|| "none".into(), |code| alloc::format!("{code:?}"));
        probe.report.event("media.refused", Fields::new().text("code", &code));
        return Ok(());
    }
    let mut walk = Walk::default();
    for _ in 0..walks {
        walk = Walk::of(probe).await?;
    }
    if let Some(file) = &walk.readable {
        rules::break_all(probe, file).await?;
    }
    let fields = Fields::new().value("files", walk.files).value("directories", walk.directories);
    let fields = fields.value("bytes", walk.bytes).value("seq", walk.seq).value("errors", walk.errors);
    probe.report.event("media.walked", fields);
    Ok(())
}

impl Probe {
    fn new(env: &mut Env) -> Result<Probe, CallError> {
        let missing = |_| CallError::Exception(rt::ExceptionCode::NotFound.into());
        let object = rt::threads::memory().create_object_blocking(MEMORY)?;
        Ok(Probe {
            report: Report::new(env).map_err(missing)?,
            root: env.client("root").map_err(missing)?,
            directory: env.client("directory").map_err(missing)?,
            memory: Region::map(&object, 0, MEMORY, Protection::Read)?,
            object,
        })
    }
}
