//! A chain of three servers of low priority, a client of still lower priority that keeps them busy, somebody of middle priority that never
//! stops, and one of high priority that calls. On one processor the call comes back only if who works for it runs at its priority.
//!
//! With `--poor`: servers of our own priority with hardly any time of their own, and a client, ourselves, without a limit. A call comes back soon only
//! if the client pays for all of it.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use alloc::vec::Vec;
use probe::{Audit, Fields, Limits, Nursery, Report, echo, factory, options};
use rt::generated::{EndpointClient, ProcessHandleClient};
use rt::serve::{Event, run_blocking};
use rt::{CallError, Cap, Client, Env, EnvError};

rt::main!(run);

/// Answers with the number of servers that took part.
const WORK: u16 = 0;
/// Turns of a loop that each server makes for a call: some milliseconds.
const TURNS: u64 = 1_000_000;
/// Calls of high priority, each into another moment of the others' work.
const ROUNDS: u64 = 8;
const SERVERS: [(&str, u8); 3] = [("third", 3), ("second", 4), ("first", 5)];
const LOW: u8 = 2;
const MIDDLE: u8 = 7;

/// Calls to poor servers.
const CALLS: u64 = 20;
/// What a poor server has, in hundredths.
const POOR: u16 = 1;

fn run(mut env: Env) -> i64 {
    let poor = env.args().any(|arg| arg == "--poor");
    match options::text(&env, "role") {
        Some("server") => serve(env),
        Some("low") => keep_busy(env),
        Some("spin") => loop {
            core::hint::spin_loop();
        },
        _ => match setup(&mut env) {
            Ok(setup) => {
                let done = if poor { pay(&setup) } else { all(&setup) };
                if let Err(error) = &done {
                    setup.report.check("chain", false, error);
                }
                setup.report.finish(u8::from(done.is_err()))
            }
            Err(_) => 2,
        },
    }
}

struct Setup {
    report: Report,
    nursery: Nursery,
    audit: Audit,
}

fn setup(env: &mut Env) -> Result<Setup, EnvError> {
    Ok(Setup { report: Report::new(env)?, nursery: Nursery::new(env)?, audit: Audit::new(env)? })
}

/// Works on one call after the other, each with a call of the next server, if there is one, half way.
fn serve(mut env: Env) -> i64 {
    let Ok(endpoint) = env.cap("serve") else { return 2 };
    let next = env.cap("next").ok();
    run_blocking(&endpoint, |event| {
        let Event::Call(request) = event else { return };
        work(TURNS / 2);
        let behind = next.as_ref().map_or(Ok([0]), |next| echo::call::<1>(next, WORK, &[]));
        work(TURNS / 2);
        echo::answer(request, &[behind.map_or(0, |[servers]| servers + 1)]);
    });
    0
}

fn work(turns: u64) {
    for turn in 0..turns {
        core::hint::black_box(turn);
    }
}

fn keep_busy(mut env: Env) -> i64 {
    let Ok(first) = env.cap("first") else { return 2 };
    while echo::call::<1>(&first, WORK, &[]).is_ok() {}
    0
}

fn all(setup: &Setup) -> Result<(), CallError> {
    let (mut children, first) = servers(setup, |priority| Limits { priority, ..Limits::SMALL })?;
    children.push(child(setup, "low", LOW, &[("first", echo::INTERFACE, &first)])?);
    let (mut answers, mut slowest) = (0, 0);
    for round in 0..ROUNDS {
        // The others get on with the call of low priority for a while, and then somebody is in their way.
        setup.audit.pause(500_000 + 700_000 * round);
        let spinner = child(setup, "spin", MIDDLE, &[])?;
        let start = setup.audit.timer().now_blocking()?;
        let [servers] = echo::call::<1>(&first, WORK, &[])?;
        slowest = slowest.max(setup.audit.timer().now_blocking()? - start);
        answers += u64::from(servers == SERVERS.len() as u64);
        spinner.kill_blocking()?;
    }
    for child in children {
        child.kill_blocking()?;
    }
    let fields = Fields::new().value("answers", answers).value("slowest_ns", slowest);
    setup.report.event("chain.done", fields);
    Ok(())
}

/// Calls servers that are poor, and says who paid for how much of that in the end.
fn pay(setup: &Setup) -> Result<(), CallError> {
    let (children, first) = servers(setup, |_| Limits { cpu_percent: POOR, ..Limits::SMALL })?;
    // So that they wait for calls.
    setup.audit.pause(50_000_000);
    let (mut answers, mut slowest, mut poor) = (0, 0, 0);
    let own = || Ok::<_, CallError>(setup.audit.system().process_blocking(rt::threads::process_id())?.cpu_ns);
    let mine = own()?;
    for _ in 0..CALLS {
        let start = setup.audit.timer().now_blocking()?;
        let [servers] = echo::call::<1>(&first, WORK, &[])?;
        slowest = slowest.max(setup.audit.timer().now_blocking()? - start);
        answers += u64::from(servers == SERVERS.len() as u64);
    }
    let mine = own()? - mine;
    for child in children {
        poor += setup.audit.system().process_blocking(child.info_blocking()?.id)?.cpu_ns;
        child.kill_blocking()?;
    }
    let permille = poor * 1000 / (poor + mine).max(1);
    let fields = Fields::new().value("answers", answers).value("slowest_ns", slowest);
    setup.report.event("chain.paid", fields.value("servers_permille", permille).value("client_ns", mine));
    Ok(())
}

/// All servers, within `limits` by their priorities, and a facet of the first.
fn servers(
    setup: &Setup,
    limits: impl Fn(u8) -> Limits,
) -> Result<(Vec<ProcessHandleClient>, Cap), CallError> {
    let mut children = Vec::new();
    let mut next = None;
    for (name, priority) in SERVERS {
        let (child, facet) = server(setup, name, &limits(priority), next.take())?;
        children.push(child);
        next = Some(facet);
    }
    Ok((children, next.ok_or(CallError::MissingCap)?))
}

fn server(
    setup: &Setup,
    name: &str,
    limits: &Limits,
    next: Option<Cap>,
) -> Result<(ProcessHandleClient, Cap), CallError> {
    let endpoint = factory().create_blocking(8)?;
    let facet = endpoint.mint_blocking(1, echo::INTERFACE)?;
    let program = setup.nursery.program("probe-chain")?;
    let mut child = setup.nursery.child(&program, limits, name)?.arg("--role=server");
    child = child.give("serve", EndpointClient::ID, endpoint)?;
    if let Some(next) = next {
        child = child.give("next", echo::INTERFACE, next)?;
    }
    Ok((child.start()?, facet))
}

fn child(
    setup: &Setup,
    role: &str,
    priority: u8,
    caps: &[(&str, u64, &Cap)],
) -> Result<ProcessHandleClient, CallError> {
    let program = setup.nursery.program("probe-chain")?;
    let limits = Limits { priority, ..Limits::SMALL };
    let mut child = setup.nursery.child(&program, &limits, role)?;
    child = match role {
        "low" => child.arg("--role=low"),
        _ => child.arg("--role=spin"),
    };
    for (name, interface, cap) in caps {
        child = child.give(name, *interface, *cap)?;
    }
    child.start()
}
