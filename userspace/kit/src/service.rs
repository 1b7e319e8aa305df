//! The loop of a server whose answers may take time.

use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use rt::serve::{Event, Receiver, Request};
use rt::{CallError, Env, EnvError, Signal, select, spawn};

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

/// Who left: one signal per badge that ever called.
type Leaving = BTreeMap<u64, Rc<Signal>>;

/// Serves until receiving fails, and gives the reason.
///
/// A call whose client is gone is dropped where it waits: its answer would reach nobody, and what it took, a key that was typed
/// or bytes of a line, would be lost to the client's successor.
pub async fn serve<H: Handler + 'static>(mut receiver: Receiver, handler: Rc<H>) -> CallError {
    let mut leaving = Leaving::new();
    loop {
        match receiver.next().await {
            Ok(Event::Call(request)) => {
                let left = leaving.entry(request.context().badge()).or_default();
                spawn(answer(Rc::clone(&handler), request, Rc::clone(left), left.epoch()));
            }
            Ok(Event::Unreferenced(badge)) => {
                if let Some(left) = leaving.remove(&badge) {
                    left.notify();
                }
                handler.gone(badge);
            }
            Err(error) => return error,
        }
    }
}

/// One call, as long as its client is there.
async fn answer<H: Handler + 'static>(handler: Rc<H>, request: Request, left: Rc<Signal>, seen: u64) {
    select(handler.call(request), left.since(seen)).await;
}
