//! A child that does with capabilities what it is told.

use alloc::vec::Vec;
use probe::echo;
use rt::abi::TransferSlot;
use rt::generated::EndpointClient;
use rt::serve::{Event, run_blocking};
use rt::{Cap, CapId, Env, Request};

/// Keeps the capability that comes along: `[id]`.
pub const TAKE: u16 = 0;
/// Gives `[id]` up.
pub const DROP: u16 = 1;
/// Sends a copy of `[id]`, or with `[id, 1]` itself.
pub const PASS: u16 = 2;
/// Revokes what derives from `[id]`: `[0]`, or `[1]` when that failed.
pub const REVOKE: u16 = 3;
/// Is answered with the next [`LET_GO`].
pub const HANG: u16 = 4;
/// Answers whoever hangs: `[how many]`.
pub const LET_GO: u16 = 5;

/// Does what it is told until it is killed.
pub fn obey(env: &mut Env) -> i64 {
    let Ok(endpoint) = env.client::<EndpointClient>("serve") else { return 2 };
    let mut hanging = Vec::new();
    run_blocking(endpoint.cap(), |event| {
        if let Event::Call(request) = event {
            carry_out(request, &mut hanging);
        }
    });
    1
}

fn carry_out(request: Request, hanging: &mut Vec<Request>) {
    let (first, second) = (echo::word(request.bytes(), 0), echo::word(request.bytes(), 1));
    let id = CapId::from_raw(first);
    match request.method() {
        TAKE => {
            let taken = request.take_cap(0).map_or(CapId::NULL, Cap::into_id);
            echo::answer(request, &[taken.raw()]);
        }
        DROP => {
            drop(Cap::from_id(id));
            echo::answer(request, &[]);
        }
        PASS => {
            let slot = if second == 1 { TransferSlot::moved(id) } else { TransferSlot::copy(id) };
            request.reply(|out| echo::put(out, &[]), &[slot]);
        }
        REVOKE => {
            let cap = Cap::from_id(id);
            let failed = cap.revoke_blocking().is_err();
            cap.into_id();
            echo::answer(request, &[u64::from(failed)]);
        }
        HANG => hanging.push(request),
        LET_GO => {
            let count = hanging.len() as u64;
            hanging.drain(..).for_each(|waiting| echo::answer(waiting, &[]));
            echo::answer(request, &[count]);
        }
        _ => echo::answer(request, &[u64::MAX]),
    }
}
