//! A client of one or two servers: calls one after the other, several at a time, and some that it does not wait for.

use crate::board::{Count, Member};
use crate::server::{ECHO, GIVE, PASS, TAKE, WORK};
use crate::{ALONE, NOT_SET_UP};
use alloc::vec::Vec;
use core::future::Future;
use core::task::Poll;
use probe::echo::INTERFACE;
use probe::factory;
use rt::abi::MAX_MESSAGE;
use rt::ipc::{call, call_blocking};
use rt::schema::EncodeError;
use rt::{CallError, Cap, Env, Outgoing, block_on};

/// Calls at a time.
const AT_ONCE: usize = 4;

pub fn run(mut env: Env, mut member: Member) -> i64 {
    let Ok(server) = env.cap("server") else { return NOT_SET_UP };
    // One that can come back has others who keep its endpoint; one that is gone is gone.
    let goes_on = env.args().any(|arg| arg == "--persistent");
    loop {
        let there = match member.rng.below(10) {
            0..4 => echo(&mut member, &server),
            4 => take(&mut member, &server),
            5 => give(&member, &server),
            6 => plain(&member, &server, PASS),
            7 => plain(&member, &server, WORK),
            8 => several(&mut member, &server),
            _ => {
                member.nap(20_000);
                true
            }
        };
        if !there && !goes_on {
            return ALONE;
        }
    }
}

/// A message of any length comes back as it was.
fn echo(member: &mut Member, server: &Cap) -> bool {
    let most = [64, 512, MAX_MESSAGE as u32].get(member.rng.below(3) as usize).copied().unwrap_or(64);
    let (len, first) = (member.rng.below(most + 1) as usize, member.rng.draw() as u8);
    let answer = call_blocking(server, INTERFACE, ECHO, |out| fill(out, len, first), &[], 0, MAX_MESSAGE);
    member.note(answer, |reply| reply.bytes().iter().eq(pattern(first).take(len).collect::<Vec<u8>>().iter()))
}

fn fill(out: &mut [u8], len: usize, first: u8) -> Result<usize, EncodeError> {
    let out = out.get_mut(..len).ok_or(EncodeError::NoRoom)?;
    out.iter_mut().zip(pattern(first)).for_each(|(to, from)| *to = from);
    Ok(len)
}

fn pattern(first: u8) -> impl Iterator<Item = u8> {
    core::iter::successors(Some(first), |byte| Some(byte.wrapping_mul(5).wrapping_add(1)))
}

/// Capabilities go along: some as copies, some for good.
fn take(member: &mut Member, server: &Cap) -> bool {
    let made = factory().create_blocking(1).and_then(|endpoint| endpoint.mint_blocking(9, INTERFACE));
    let Ok(moved) = made else {
        member.count(Count::Wrong);
        return true;
    };
    let outgoing = [Outgoing::from(member.timer.cap()), Outgoing::from(moved)];
    let slots = outgoing.each_ref().map(Outgoing::slot);
    let count = 1 + member.rng.below(2) as usize;
    let send = slots.get(..count).unwrap_or_default();
    let answer = call_blocking(server, INTERFACE, TAKE, |_| Ok(0), send, 0, 0);
    member.note(answer, |_| true)
}

/// A capability comes back.
fn give(member: &Member, server: &Cap) -> bool {
    let answer = call_blocking(server, INTERFACE, GIVE, |_| Ok(0), &[], 1, 0);
    member.note(answer.and_then(|reply| reply.take_cap(0)), |_| true)
}

fn plain(member: &Member, server: &Cap, method: u16) -> bool {
    let answer = call_blocking(server, INTERFACE, method, |_| Ok(0), &[], 0, 0);
    // Who passes calls on says so when it could not.
    match answer {
        Err(CallError::Exception(_)) if method == PASS => {
            member.count(Count::Refused);
            true
        }
        answer => member.note(answer, |_| true),
    }
}

/// Several calls at a time. Those that are not answered when the first is are cancelled.
fn several(member: &mut Member, server: &Cap) -> bool {
    let patient = member.rng.chance(1, 2);
    block_on(async {
        let start = |_| alloc::boxed::Box::pin(call(server, INTERFACE, WORK, |_| Ok(0), &[], 0, 0));
        let mut calls: Vec<_> = (0..AT_ONCE).map(start).collect();
        let mut there = true;
        core::future::poll_fn(|cx| {
            let before = calls.len();
            calls.retain_mut(|call| match call.as_mut().poll(cx) {
                Poll::Ready(outcome) => {
                    there &= member.note(outcome, |_| true);
                    false
                }
                Poll::Pending => true,
            });
            let enough = calls.is_empty() || (!patient && calls.len() < before);
            if enough { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        there
    })
}
