//! Who has no peers: memory, threads, notifications, clocks.

use crate::board::Member;
use alloc::sync::Arc;
use probe::factory;
use rt::CallError;
use rt::generated::NotificationClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::threads;

const PAGE: u64 = rt::abi::PAGE_SIZE as u64;

/// Reserves, commits, protects, shares and unmaps, for ever.
pub fn memory(mut member: Member) -> i64 {
    loop {
        let outcome = match member.rng.below(3) {
            0 => committed(&mut member),
            1 => shared(&mut member),
            _ => {
                member.nap(10_000);
                Ok(true)
            }
        };
        member.note(outcome, |good| good);
    }
}

fn committed(member: &mut Member) -> Result<bool, CallError> {
    // Up to a megabyte in one piece, so that some kills come while the kernel is at it.
    let pages = 1 + u64::from(member.rng.below(256));
    let region = Region::reserve((pages + 2) * PAGE)?;
    region.commit(PAGE, pages * PAGE, Protection::ReadWrite)?;
    region.store(PAGE, 77);
    region.protect(PAGE, PAGE, Protection::Read)?;
    Ok(region.load(PAGE) == Some(77))
}

fn shared(member: &mut Member) -> Result<bool, CallError> {
    let pages = 1 + u64::from(member.rng.below(8));
    let object = threads::memory().create_object_blocking(pages * PAGE)?;
    let views = [Protection::ReadWrite, Protection::Read].map(|it| Region::map(&object, 0, pages * PAGE, it));
    let [first, second] = views;
    let (first, second) = (first?, second?);
    drop(object);
    first.store(0, 5);
    Ok(second.load(0) == Some(5))
}

/// Starts threads that wait for each other's signals and for time, and joins them, for ever.
pub fn threads(mut member: Member) -> i64 {
    loop {
        let rounds = 1 + member.rng.below(3);
        let outcome = ping_pong(rounds);
        member.note(outcome, |good| good);
        member.nap(10_000);
    }
}

fn notification() -> Result<NotificationClient, CallError> {
    factory().create_notification_blocking()
}

fn ping_pong(rounds: u32) -> Result<bool, CallError> {
    let (there, back) = (Arc::new(notification()?), Arc::new(notification()?));
    let (ping, pong) = (there.mint_blocking(1, 0)?, back.mint_blocking(2, 0)?);
    let waits = there.clone();
    let other = threads::spawn(5, move || {
        for _ in 0..rounds {
            if waits.wait_blocking() != Ok(1) || pong.signal_blocking().is_err() {
                return;
            }
        }
    })?;
    let mut good = true;
    for _ in 0..rounds {
        ping.signal_blocking()?;
        good &= back.wait_blocking()? == 2;
    }
    other.join()?;
    Ok(good)
}
