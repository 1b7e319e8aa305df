//! Files and disks, as a person sees them: places that the shell holds, and names below them.

mod bytes;
mod change;
mod copy;
mod copy_tree;
mod descent;
mod disks;
mod list;
mod listing;
mod mount;
mod mounts;
mod options;
mod path;
mod remove;
mod volumes;
mod walk;

pub use bytes::{Input, put, text};
pub use change::{make, rename};
pub use copy_tree::copy;
pub use disks::disk_names;
pub use list::{list, names};
pub use mount::mount;
pub use mounts::Mounts;
pub use options::options;
pub use remove::remove;
pub use volumes::{collect, grow, snapshots, space};

use crate::session::Session;
use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use path::Path;
use rt::{CallError, Either, ExceptionCode, select};

/// Carries out what Ctrl-C may end.
pub async fn interruptible<T>(
    session: &Session,
    work: impl Future<Output = Result<T, Trouble>>,
) -> Result<T, Trouble> {
    match select(work, session.keyboard.interrupted()).await {
        Either::First(done) => done,
        Either::Second(Ok(())) => Err(Trouble::Interrupted),
        Either::Second(Err(error)) => Err(Trouble::Terminal(error)),
    }
}

/// For `map_err`: why something about a name was refused.
fn refused(what: &str) -> impl FnOnce(CallError) -> Trouble {
    because(path::shown(what))
}

/// The same about a path.
fn refused_at(path: &Path) -> impl FnOnce(CallError) -> Trouble {
    because(format!("{path}"))
}

fn because(what: String) -> impl FnOnce(CallError) -> Trouble {
    move |error| {
        let words = match error.exception() {
            Some(ExceptionCode::NotFound) => "there is nothing of that name",
            Some(ExceptionCode::Exists) => "it is there already",
            Some(ExceptionCode::Denied) => "it can only be read",
            Some(ExceptionCode::OutOfMemory) => "the volume is full",
            Some(ExceptionCode::BudgetExhausted) => "the quota is used up, or too much is open at a time",
            Some(ExceptionCode::DeviceFault) => "the disk does not give back what was written",
            Some(ExceptionCode::InvalidArgument) => {
                "that can not be: a name has 1 to 255 bytes, and no directory is below itself"
            }
            Some(ExceptionCode::Disconnected) => "who serves it is gone",
            _ => return Trouble::Say(format!("{what}: {error}")),
        };
        Trouble::Say(format!("{what}: {words}"))
    }
}
