//! A server with two threads at one endpoint: one answers at once, one has several receives outstanding and keeps calls for a while.

use crate::board::{Count, Member};
use crate::{ALONE, NOT_SET_UP};
use alloc::collections::VecDeque;
use probe::echo;
use rt::abi::TransferSlot;
use rt::generated::TimerClient;
use rt::serve::{Event, Receiver, run_blocking};
use rt::{Cap, CapId, Env, Request, block_on, threads};

/// Answered with the same bytes.
pub const ECHO: u16 = 0;
/// Answered with nothing; what came along is given up.
pub const TAKE: u16 = 1;
/// Answered with a copy of the server's clock.
pub const GIVE: u16 = 2;
/// Answered when the server behind this one has answered.
pub const PASS: u16 = 3;
/// Answered after some work.
pub const WORK: u16 = 4;

/// Calls that the second thread keeps before it answers the oldest.
const KEPT: usize = 1;

pub fn run(mut env: Env, member: Member) -> i64 {
    let Ok(endpoint) = env.cap("serve") else { return NOT_SET_UP };
    let behind = env.cap("behind").ok();
    let ids = (endpoint.id(), member.timer.cap().id());
    let second = threads::spawn(5, move || keep(ids.0, ids.1));
    if let Err(error) = second {
        member.note::<()>(Err(error), |()| false);
    }
    let error = run_blocking(&endpoint, |event| {
        if let Event::Call(request) = event {
            answer(request, member.timer.cap().id(), behind.as_ref());
            member.count(Count::Good);
        }
    });
    // We hold the right, so there is no reason to end.
    member.note::<()>(Err(error), |()| false);
    ALONE
}

fn answer(request: Request, clock: CapId, behind: Option<&Cap>) {
    match request.method() {
        ECHO => {
            let mut kept = [0; 64];
            let len = request.bytes().len();
            if len > kept.len() {
                return echo_large(request);
            }
            for (to, from) in kept.iter_mut().zip(request.bytes()) {
                *to = *from;
            }
            request.reply(|out| copy(out, kept.get(..len).unwrap_or_default()), &[]);
        }
        GIVE => request.reply(|_| Ok(0), &[TransferSlot::copy(clock)]),
        PASS => {
            let passed = behind.map(|behind| echo::call::<1>(behind, WORK, &[1]));
            match passed {
                Some(Ok(_)) => request.reply(|_| Ok(0), &[]),
                // Its callers hear that it could not.
                _ => request.fail(rt::ExceptionCode::Failed.into()),
            }
        }
        WORK => {
            let mut work = 0;
            for n in 0..2000 {
                work = core::hint::black_box(work + n);
            }
            request.reply(|_| Ok(0), &[]);
        }
        _ => request.reply(|_| Ok(0), &[]),
    }
}

fn echo_large(request: Request) {
    let bytes = alloc::vec::Vec::from(request.bytes());
    request.reply(|out| copy(out, &bytes), &[]);
}

fn copy(out: &mut [u8], bytes: &[u8]) -> Result<usize, rt::schema::EncodeError> {
    out.get_mut(..bytes.len()).ok_or(rt::schema::EncodeError::NoRoom)?.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// The second thread. Capabilities belong to the process, so it uses the first one's.
fn keep(right: CapId, clock: CapId) {
    let timer = core::mem::ManuallyDrop::new(TimerClient::from(Cap::from_id(clock)));
    let mut receiver = Receiver::new(Cap::from_id(right), 3);
    let mut kept: VecDeque<Request> = VecDeque::new();
    block_on(async {
        while let Ok(event) = receiver.next().await {
            if let Event::Call(request) = event {
                kept.push_back(request);
            }
            // Nobody is kept for ever, also when no more calls come.
            while kept.len() > KEPT {
                if let Some(request) = kept.pop_front() {
                    answer(request, clock, None);
                }
            }
            let _ = timer.now().await;
        }
    });
}
