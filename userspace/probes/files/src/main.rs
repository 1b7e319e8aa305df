//! A client of a volume. The first time it makes files, names, blobs and a snapshot, breaks rules, and has all of it synced; when it finds its
//! own mark there it looks whether everything is as it left it. With `--ops=N` it does so many operations by chance instead, and with `--limits=WHAT` what
//! `limits` has under that name, perhaps `--count=N` times.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

mod after;
mod before;
mod broken;
mod crafted;
mod crowd;
mod limits;
mod ops;
mod rules;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use capos_mutate::Rng;
use core::fmt::Debug;
use probe::{Fields, Report, number, options};
use rt::generated::{NamespaceClient, ServicesClient, StoreClient, VolumeClient};
use rt::{CallError, Env, EnvError, ExceptionCode, block_on};

rt::main!(run);

/// The name that says that it was here.
pub const MARK: &str = "mark";

/// What it is given.
pub struct Probe {
    /// Who hears of it.
    pub report: Report,
    /// All of the volume.
    pub volume: VolumeClient,
    /// Its names.
    pub root: NamespaceClient,
    /// Its blobs.
    pub store: StoreClient,
    /// What its bytes are made of.
    pub seed: u64,
    /// How many operations to do by chance, instead of all that.
    pub ops: u64,
    /// What to look at instead of all that, and how many of it.
    pub limits: Option<(String, u64)>,
    /// The disk does not take or give back everything.
    pub is_broken: bool,
    /// It begins with that while it is looked at, by instances of the service that are killed by these.
    pub services: Option<ServicesClient>,
}

fn run(mut env: Env) -> i64 {
    if let Some(role) = options::text(&env, "crowd") {
        return crowd::run(env, role);
    }
    match setup(&mut env) {
        Ok(probe) => {
            let done = block_on(all(&probe));
            if let Err(error) = &done {
                probe.report.check("the volume", false, error);
            }
            match done {
                Ok(true) => 0,
                _ => probe.report.finish(u8::from(done.is_err())),
            }
        }
        Err(_) => 2,
    }
}

fn setup(env: &mut Env) -> Result<Probe, EnvError> {
    let limits = env.args().find_map(|arg| arg.strip_prefix("--limits=")).map(String::from);
    let count = number(env, "count", 0);
    Ok(Probe {
        limits: limits.map(|limits| (limits, count)),
        report: Report::new(env)?,
        volume: env.client("volume")?,
        root: env.client("root")?,
        store: env.client("store")?,
        seed: number(env, "seed", 1),
        ops: number(env, "ops", 0),
        is_broken: number(env, "broken", 0) > 0,
        services: env.client("services").ok(),
    })
}

/// Whether there is to be a second time.
async fn all(probe: &Probe) -> Result<bool, CallError> {
    if probe.ops > 0 {
        ops::work(probe, probe.ops).await?;
        return Ok(false);
    }
    if let Some((limits, count)) = &probe.limits {
        limits::look(probe, limits, *count).await?;
        return Ok(false);
    }
    if probe.is_broken {
        return broken::work(probe).await;
    }
    if probe.root.resolve(false, MARK).await.is_ok() {
        after::look(probe).await?;
        probe.report.event("files.kept", Fields::new());
        return Ok(false);
    }
    before::make(probe).await?;
    rules::break_all(probe).await?;
    probe.root.sync().await?;
    let space = probe.volume.space().await?;
    let fields = Fields::new().value("blocks", space.blocks).value("free", space.free);
    probe.report.event("files.made", fields.value("objects", space.objects));
    Ok(true)
}

impl Probe {
    /// Bytes that are nowhere else.
    pub fn bytes(&self, which: u64, length: usize) -> Vec<u8> {
        let mut rng = Rng::new(self.seed ^ which.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let words = core::iter::repeat_with(|| rng.draw().to_le_bytes());
        words.take(length.div_ceil(8)).flatten().take(length).collect()
    }

    /// It is so.
    pub fn is<T: PartialEq + Debug>(&self, what: &str, found: T, wanted: T) {
        let detail = if found == wanted { String::new() } else { format!("{found:?}, not {wanted:?}") };
        self.report.check(what, found == wanted, &detail);
    }

    /// It was refused, for that reason.
    pub fn refuses<T>(&self, what: &str, done: Result<T, CallError>, code: ExceptionCode) {
        let found = done.map_err(|error| error.exception()).err().flatten();
        self.is(what, found, Some(code));
    }
}
