//! The loop of a server whose answers may take time.

use alloc::rc::Rc;
use rt::serve::{Event, Receiver, Request};
use rt::{CallError, Env, EnvError, spawn};

/// Receives outstanding at a time.
const DEPTH: usize = 3;

/// What answers.
pub trait Handler {
    /// Answers one call, however long it takes; runs in a task of its own.
    fn call(self: Rc<Self>, request: Request) -> impl Future<Output = ()> + 'static;

    /// The last capability with this badge is gone.
    fn gone(&self, badge: u64);
}

/// Takes the receive right that the parent granted as `serve`.
pub fn receiver(env: &mut Env) -> Result<Receiver, EnvError> {
    env.cap("serve").map(|endpoint| Receiver::new(endpoint, DEPTH))
}

/// Number of the export that a badge belongs to: the parent mints facets with it in the upper half.
pub fn export_of(badge: u64) -> u32 {
    (badge >> 32) as u32
}

/// Serves until receiving fails, and gives the reason.
pub async fn serve<H: Handler + 'static>(mut receiver: Receiver, handler: Rc<H>) -> CallError {
    loop {
        match receiver.next().await {
            Ok(Event::Call(request)) => spawn(Rc::clone(&handler).call(request)),
            Ok(Event::Unreferenced(badge)) => handler.gone(badge),
            Err(error) => return error,
        }
    }
}
