//! Transfers to another process, which has little room or dies.

use crate::Setup;
use alloc::vec::Vec;
use probe::{Limits, echo, factory};
use rt::abi::TransferSlot;
use rt::generated::{EndpointClient, MemoryObjectClient, ProcessHandleClient};
use rt::ipc::{call, call_blocking};
use rt::serve::{Event, run_blocking};
use rt::threads::memory;
use rt::{CallError, Cap, Client, Either, Env, TransportError, block_on, select};

/// Keep what comes; answer with how many there are.
const TAKE: u16 = 0;
/// Say the number in the first word of everything kept.
const SHOW: u16 = 1;
/// Take and end without an answer.
const TAKE_AND_DIE: u16 = 2;

/// Objects that are sent.
const OBJECTS: usize = 4;
/// Slots of the receiver: its own three, its endpoint, and one object too few.
const SLOTS: u32 = 4 + OBJECTS as u32 - 1;

/// The receiver.
pub fn receive(mut env: Env) -> i64 {
    let Ok(endpoint) = env.cap("serve") else { return 2 };
    let mut kept: Vec<MemoryObjectClient> = Vec::new();
    run_blocking(&endpoint, |event| {
        let Event::Call(request) = event else { return };
        if request.method() == TAKE_AND_DIE {
            rt::sys::exit(9);
        }
        if request.method() == TAKE {
            kept.extend((0..16).map_while(|n| request.take_cap(n).ok()).map(MemoryObjectClient::from));
            return echo::answer(request, &[kept.len() as u64]);
        }
        let numbers: Vec<u64> = kept.iter().map(number_of).collect();
        echo::answer(request, &numbers);
    });
    0
}

/// Holds the endpoint and never receives.
pub fn never_receive() -> i64 {
    loop {
        rt::sys::cap_enter(1, 1_000_000_000);
    }
}

fn number_of(object: &MemoryObjectClient) -> u64 {
    object.read_blocking(0, 8).map_or(0, |bytes| echo::word(&bytes, 0))
}

fn receiver(setup: &Setup, role: &str) -> Result<(ProcessHandleClient, Cap), CallError> {
    let endpoint = factory().create_blocking(8)?;
    let facet = endpoint.mint_blocking(1, echo::INTERFACE)?;
    let program = setup.nursery.program("probe-transfer")?;
    let limits = Limits { cap_slots: SLOTS, memory_pages: 256, ..Limits::SMALL };
    let child = setup.nursery.child(&program, &limits, "receiver")?.arg(role);
    Ok((child.give("serve", EndpointClient::ID, endpoint)?.start()?, facet))
}

fn objects() -> Result<Vec<MemoryObjectClient>, CallError> {
    (0..OBJECTS as u64)
        .map(|number| {
            let object = memory().create_object_blocking(4096)?;
            object.write_blocking(0, &(100 + number).to_le_bytes())?;
            Ok(object)
        })
        .collect()
}

fn slots(objects: &[MemoryObjectClient]) -> Vec<TransferSlot> {
    objects.iter().map(|object| TransferSlot::moved(object.cap().id())).collect()
}

fn numbers(objects: &[MemoryObjectClient]) -> Vec<u64> {
    objects.iter().map(number_of).collect()
}

/// All cases; gives how many things were checked.
pub fn all(setup: &Setup) -> Result<usize, CallError> {
    Ok(little_room(setup)? + killed_in_flight(setup)? + dead_with_them(setup)?)
}

/// One object too many for the receiver's table: none goes. One fewer: all go, and are gone here.
fn little_room(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let (handle, facet) = receiver(setup, "--role=receiver")?;
    let objects = objects()?;
    let all = slots(&objects);
    let send = |slots: &[TransferSlot]| {
        call_blocking(&facet, echo::INTERFACE, TAKE, |_| Ok(0), slots, 0, 8)
            .map(|reply| echo::word(reply.bytes(), 0))
    };
    report.fails("more than the receiver's table takes", send(&all), TransportError::PeerBudgetExhausted);
    report.equal("the sender keeps all", numbers(&objects), [100, 101, 102, 103].to_vec());
    report.equal("the receiver has none", echo::call::<4>(&facet, SHOW, &[])?, [0; 4]);
    report.equal(
        "as many as it takes",
        send(all.get(..OBJECTS - 1).unwrap_or_default())?,
        OBJECTS as u64 - 1,
    );
    report.equal("the sender keeps the other", numbers(&objects), [0, 0, 0, 103].to_vec());
    report.equal("the receiver has the rest", echo::call::<4>(&facet, SHOW, &[])?, [100, 101, 102, 0]);
    handle.kill_blocking()?;
    Ok(6)
}

/// A call in the queue of a process that is killed: nothing has gone.
fn killed_in_flight(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let (handle, facet) = receiver(setup, "--role=deaf")?;
    let objects = objects()?;
    let all = slots(&objects);
    let found = block_on(async {
        let sent = call(&facet, echo::INTERFACE, TAKE, |_| Ok(0), &all, 0, 8);
        let mut sent = core::pin::pin!(sent);
        let pause = async {
            let timer = setup.audit.timer();
            timer.sleep_until(timer.now().await? + 2_000_000).await?;
            handle.kill().await
        };
        match select(sent.as_mut(), pause).await {
            Either::First(early) => early.map(|_| ()),
            Either::Second(_) => sent.await.map(|_| ()),
        }
    });
    report.fails("the receiver is killed in flight", found, TransportError::Disconnected);
    report.equal("the sender still has all", numbers(&objects), [100, 101, 102, 103].to_vec());
    Ok(2)
}

/// A process that dies with what it has received: that is gone, and its memory comes back, as the audit sees.
fn dead_with_them(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let (handle, facet) = receiver(setup, "--role=receiver")?;
    let objects = objects()?;
    let some = slots(objects.get(..2).unwrap_or_default());
    let found = call_blocking(&facet, echo::INTERFACE, TAKE_AND_DIE, |_| Ok(0), &some, 0, 8);
    report.fails("the receiver dies with the call", found.map(|_| ()), TransportError::Disconnected);
    report.equal("it took two along", numbers(&objects), [0, 0, 102, 103].to_vec());
    report.equal("its exit code", handle.wait_blocking()?.code, 9);
    Ok(3)
}
