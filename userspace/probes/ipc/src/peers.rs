//! What happens when the process at the other end dies.

use crate::Setup;
use alloc::rc::Rc;
use alloc::vec::Vec;
use probe::{Limits, echo, factory};
use rt::generated::{EndpointClient, ProcessHandleClient};
use rt::schema::process_handle::ExitReason;
use rt::serve::{Event, Receiver, run_blocking};
use rt::{CallError, Cap, Client, Either, Env, Request, TransportError, block_on, select, spawn};

/// Answered with the number plus one.
const ADD: u16 = 0;
/// Never answered: the server ends with code 33.
const DIE: u16 = 1;
/// Never answered.
const KEEP: u16 = 2;

/// The server process.
pub fn serve(mut env: Env) -> i64 {
    let Ok(endpoint) = env.cap("serve") else { return 2 };
    let mut kept: Option<Request> = None;
    run_blocking(&endpoint, |event| {
        let Event::Call(request) = event else { return };
        match request.method() {
            ADD => {
                let number = echo::word(request.bytes(), 0);
                echo::answer(request, &[number + 1]);
            }
            DIE => rt::sys::exit(33),
            _ => kept = Some(request),
        }
    });
    0
}

/// The client process: a call that we do not answer.
pub fn call_forever(mut env: Env) -> i64 {
    let Ok(server) = env.cap("server") else { return 2 };
    i64::from(echo::call::<1>(&server, KEEP, &[5]).is_err())
}

/// A new endpoint of ours.
fn endpoint() -> Result<EndpointClient, CallError> {
    factory().create_blocking(8)
}

fn server(setup: &Setup) -> Result<(ProcessHandleClient, Cap), CallError> {
    let endpoint = endpoint()?;
    let facet = endpoint.mint_blocking(1, echo::INTERFACE)?;
    let program = setup.nursery.program("probe-ipc")?;
    let child = setup.nursery.child(&program, &Limits::SMALL, "server")?.arg("--role=server");
    Ok((child.give("serve", EndpointClient::ID, endpoint)?.start()?, facet))
}

/// All cases; gives how many clauses were checked.
pub fn all(setup: &Setup) -> Result<usize, CallError> {
    Ok(server_exits(setup)? + server_is_killed(setup)? + client_is_killed(setup)? + in_order(setup)?)
}

/// A server that has several receives out sees calls in the order in which they were made, though it looks late.
fn in_order(setup: &Setup) -> Result<usize, CallError> {
    const CALLS: u16 = 3;
    let endpoint = endpoint()?;
    let facet = Rc::new(endpoint.mint_blocking(1, echo::INTERFACE)?);
    let mut receiver = Receiver::new(endpoint.into_cap(), usize::from(CALLS));
    let seen = block_on(async {
        let pause = async || {
            let timer = setup.audit.timer();
            let now = timer.now().await.unwrap_or(0);
            timer.sleep_until(now + 1_000_000).await
        };
        // The receives are out after that.
        select(receiver.next(), pause()).await;
        for method in 0..CALLS {
            let facet = Rc::clone(&facet);
            spawn(async move {
                let _ = rt::ipc::call(&facet, echo::INTERFACE, method, |_| Ok(0), &[], 0, 0).await;
            });
        }
        let _ = pause().await;
        let mut seen = Vec::new();
        for _ in 0..CALLS {
            match receiver.next().await {
                Ok(Event::Call(request)) => {
                    seen.push(request.method());
                    echo::answer(request, &[]);
                }
                _ => break,
            }
        }
        seen
    });
    setup.report.equal("O2 several receives, calls in order", seen, (0..CALLS).collect::<Vec<_>>());
    Ok(1)
}

fn server_exits(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let (handle, facet) = server(setup)?;
    report.equal("O1 another process answers", echo::call::<1>(&facet, ADD, &[41])?, [42]);
    report.fails("O9 a server that exits", echo::call::<1>(&facet, DIE, &[]), TransportError::Disconnected);
    report.fails("O9 calls after that", echo::call::<1>(&facet, ADD, &[]), TransportError::Disconnected);
    let end = handle.wait_blocking()?;
    report.equal("A3 its exit code", (end.reason, end.code), (ExitReason::Exited, 33));
    Ok(4)
}

fn server_is_killed(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let (handle, facet) = server(setup)?;
    echo::call::<1>(&facet, ADD, &[1])?;
    let event = factory().create_notification_blocking()?;
    handle.signal_on_exit_blocking(event.mint_blocking(1, 0)?)?;
    report.equal("N9 who lives signals nothing", event.poll_blocking()?, 0);
    let found = block_on(async {
        let kept = rt::ipc::call(&facet, echo::INTERFACE, KEEP, |_| Ok(0), &[], 0, 0);
        let pause = async {
            let timer = setup.audit.timer();
            let now = timer.now().await?;
            timer.sleep_until(now + 2_000_000).await?;
            handle.kill().await
        };
        let mut kept = core::pin::pin!(kept);
        match select(kept.as_mut(), pause).await {
            Either::First(early) => early.map(|_| ()),
            Either::Second(_) => kept.await.map(|_| ()),
        }
    });
    report.fails("O9 a server that is killed with our call", found, TransportError::Disconnected);
    report.fails("O9 calls after the kill", echo::call::<1>(&facet, ADD, &[]), TransportError::Disconnected);
    report.equal("O9 it was killed", handle.wait_blocking()?.reason, ExitReason::Killed);
    report.equal("N9 its end signals", event.wait_blocking()?, 1);
    report.equal("N9 and once", event.poll_blocking()?, 0);
    Ok(6)
}

/// A client that dies while we have its call: its facet goes, and our answer is stale, which nobody hears of.
fn client_is_killed(setup: &Setup) -> Result<usize, CallError> {
    let report = &setup.report;
    let endpoint = endpoint()?;
    let facet = endpoint.mint_blocking(77, echo::INTERFACE)?;
    let program = setup.nursery.program("probe-ipc")?;
    let child = setup.nursery.child(&program, &Limits::SMALL, "client")?.arg("--role=client");
    let handle = child.give("server", echo::INTERFACE, facet)?.start()?;
    let mut receiver = Receiver::new(endpoint.into_cap(), 1);
    block_on(async {
        let Event::Call(request) = receiver.next().await? else {
            report.check("O4 a call of the client", false, "something else came");
            return Ok(1);
        };
        report.equal(
            "O4 a call of the client",
            (request.context().badge(), echo::word(request.bytes(), 0)),
            (77, 5),
        );
        handle.kill().await?;
        echo::answer(request, &[6]);
        match receiver.next().await? {
            Event::Unreferenced(badge) => report.equal("O10 its facet went with it", badge, 77),
            Event::Call(_) => report.check("O10 its facet went with it", false, "another call came"),
        }
        report.equal("O10 the client was killed", handle.wait().await?.reason, ExitReason::Killed);
        Ok(3)
    })
}
