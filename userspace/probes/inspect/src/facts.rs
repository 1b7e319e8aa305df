//! What is told of one child, before and after each thing that is done to it.

use crate::Setup;
use crate::hand::{HANG, LET_GO};
use crate::seats::{BADGE, LIMITS, Seat};
use capos_inspect::{Activity, Capability, End, Kind, Leaves, Life, Origin, Processor, Slot, Use};
use probe::{Limits, echo};
use rt::abi::TransferSlot;
use rt::schema::inspector::Listing;
use rt::threads::{memory, process_id};
use rt::{CallError, Cap, CapId, Client};

/// All checks.
pub fn all(setup: &Setup) -> Result<(), CallError> {
    let seat = Seat::new(setup, "witness")?;
    budgets(setup, &seat)?;
    tables(setup, &seat)?;
    kinds(setup)?;
    threads(setup, &seat)?;
    processors(setup)?;
    end(setup, seat)
}

fn place(process: u64, id: CapId) -> Slot {
    Slot { process, slot: id.index() }
}

fn budgets(setup: &Setup, seat: &Seat) -> Result<(), CallError> {
    let report = &setup.report;
    let Some(found) = setup.look.process(seat.process)? else {
        report.check("L1 a child is there", false, "it is not");
        return Ok(());
    };
    report.equal("L1 its name", found.name.as_str(), "witness");
    report.equal("L1 it runs", (found.life, found.end), (Life::Runs, End::None));
    report.equal("L1 its priority", found.priority, LIMITS.priority);
    let Limits { memory_pages, cap_slots, threads, calls_in_flight, endpoint_entries, .. } = LIMITS;
    let Limits { log_bytes, dma_pages, vectors, .. } = LIMITS;
    let limits =
        [memory_pages, cap_slots, threads, calls_in_flight, endpoint_entries, log_bytes, dma_pages, vectors]
            .map(u64::from);
    report.equal("L1 its limits", found.budget.map(|it| it.limit), limits);
    let slots = Use { used: seat.own as u64, lent: 0, limit: u64::from(cap_slots) };
    report.equal("L1 its slots", found.slots(), slots);
    report.equal("L1 its threads", found.resource(2).used, 1);
    let own = setup.look.process(process_id())?.map(|own| own.slots());
    let lent = own.is_some_and(|own| own.lent >= u64::from(cap_slots) && own.used > own.lent);
    report.check("L1 what it has is lent by us", lent, format_args!("{own:?}"));
    Ok(())
}

/// Copies, moves, releases and revocations, one after the other.
fn tables(setup: &Setup, seat: &Seat) -> Result<(), CallError> {
    let (report, look) = (&setup.report, &setup.look);
    let own = memory().create_object_blocking(8192)?.into_cap();
    let mine = look.at(process_id(), own.id().index())?;
    let Some(mine) = mine else {
        report.check("L1 what we made is there", false, "it is not");
        return Ok(());
    };
    report.equal(
        "L1 L3 what one makes comes from nothing",
        (mine.kind, mine.origin),
        (Kind::Memory, Origin::Root),
    );
    report.equal("L1 two pages that may be written", mine.detail, 2 << 1 | 1);
    let copy = seat.give(TransferSlot::copy(own.id()))?;
    let theirs = look.at(seat.process, copy.index())?;
    let told = theirs.map(|cap| (cap.object, cap.origin, cap.family, cap.leaves));
    let from = Origin::From(place(process_id(), own.id()));
    report.equal(
        "L2 L3 a copy is of the same and from ours",
        told,
        Some((mine.object, from, mine.family, Leaves::Freely)),
    );
    let back = seat.get(copy, false)?;
    let there = look.at(process_id(), back.index())?.map(|cap| cap.origin);
    report.equal("L3 what comes back is from theirs", there, Some(Origin::From(place(seat.process, copy))));
    seat.drop(copy)?;
    report.equal("L1 what was given up is not there", look.at(seat.process, copy.index())?, None);
    let there = look.at(process_id(), back.index())?.map(|cap| cap.origin);
    report.equal("L3 and what came of it is from ours", there, Some(from));
    let moved = seat.give(TransferSlot::moved(back))?;
    report.equal("L1 what was moved is not where it was", look.at(process_id(), back.index())?, None);
    let there = look.at(seat.process, moved.index())?.map(|cap| cap.origin);
    report.equal("L3 it comes from what it did", there, Some(from));
    own.revoke_blocking()?;
    report.equal("L1 what was revoked is not there", look.at(seat.process, moved.index())?, None);
    report.equal("L1 the child has what it began with", look.holds(seat.process)?.len(), seat.own);
    let still = look.at(process_id(), own.id().index())?;
    report.equal("L1 what was revoked from is as it was", still, Some(mine));
    Ok(())
}

/// Endpoints, notifications, processes.
fn kinds(setup: &Setup) -> Result<(), CallError> {
    let (report, look) = (&setup.report, &setup.look);
    let seat = Seat::new(setup, "kinds")?;
    let told = |id: CapId| {
        let found = look.at(process_id(), id.index())?;
        Ok::<_, CallError>(found.map(|Capability { kind, object, detail, .. }| (kind, object, detail)))
    };
    let right = told(seat.right)?.unwrap_or((Kind::Other(0), 0, 0));
    report.equal("L1 a right to receive", (right.0, right.1 != 0), (Kind::Endpoint, true));
    report.equal("L2 a way there", told(seat.way.id())?, Some((Kind::Facet, right.1, BADGE)));
    let theirs = look.holds(seat.process)?.into_iter().find(|cap| cap.kind == Kind::Endpoint);
    let told_of_theirs = theirs.map(|cap| (cap.object, cap.leaves, cap.origin));
    let from = Origin::From(place(process_id(), seat.right));
    report.equal("L2 and who receives there", told_of_theirs, Some((right.1, Leaves::Copies, from)));
    let handle = seat.handle.cap().id();
    report.equal("L1 a handle", told(handle)?, Some((Kind::Process, seat.process, 0)));
    let watch = seat.handle.watch_blocking()?;
    let watched = look.at(process_id(), watch.cap().id().index())?;
    let expected = Some((Kind::Watch, seat.process, Origin::From(place(process_id(), handle))));
    report.equal("L3 and what only watches", watched.map(|cap| (cap.kind, cap.object, cap.origin)), expected);
    let event = probe::factory().create_notification_blocking()?;
    let bell = event.mint_blocking(0b101, 0)?;
    let number = told(event.cap().id())?.map_or(0, |told| told.1);
    report.equal("L2 a bell", told(bell.cap().id())?, Some((Kind::Signaller, number, 0b101)));
    let interface = look.at(process_id(), bell.cap().id().index())?.map(|cap| cap.interface);
    report.equal("L1 what may be called", interface, Some(rt::generated::SignallerClient::ID));
    seat.end()
}

/// A call that hangs shows who waits, and where.
fn threads(setup: &Setup, seat: &Seat) -> Result<(), CallError> {
    let (report, look) = (&setup.report, &setup.look);
    let threads = look.threads(seat.process)?;
    let told = threads.first().map(|it| (threads.len(), it.process, it.activity, it.called, it.own_priority));
    report.equal(
        "L1 the thread of a child",
        told,
        Some((1, seat.process, Activity::Waits, 0, LIMITS.priority)),
    );
    let own = look.threads(process_id())?;
    let current = own.iter().find(|thread| thread.id == rt::threads::current_id());
    report.equal("L1 our thread", current.map(|thread| thread.activity), Some(Activity::Runs));
    let endpoint = look.at(process_id(), seat.right.index())?.map_or(0, |right| right.object);
    let way = seat.way.id();
    let caller = rt::threads::spawn(5, move || {
        let way = Cap::from_id(way);
        let _ = echo::call::<1>(&way, HANG, &[]);
        way.into_id();
    })?;
    let mut seen = None;
    for _ in 0..200 {
        setup.audit.pause(1_000_000);
        let waits = |thread: &&capos_inspect::Thread| thread.id == caller.id() && thread.called != 0;
        seen = look.threads(process_id())?.iter().find(waits).copied();
        if seen.is_some() {
            break;
        }
    }
    let told = seen.map(|it| (it.activity, it.called, it.in_flight, it.own_priority));
    report.equal("L1 L2 who has called waits there", told, Some((Activity::Waits, endpoint, 1, 5)));
    report.equal("L1 it is let go", seat.say(LET_GO, &[])?, 1);
    caller.join()?;
    let left = look.threads(process_id())?.len();
    report.equal("L1 and its thread is gone", left, own.len());
    Ok(())
}

fn processors(setup: &Setup) -> Result<(), CallError> {
    let look = || setup.look.read::<Processor>(Listing::Processors, None);
    let (before, ran) = (look()?, setup.look.process(process_id())?.map_or(0, |own| own.cpu_ns));
    setup.audit.pause(2_000_000);
    let (after, runs) = (look()?, setup.look.process(process_id())?.map_or(0, |own| own.cpu_ns));
    let cpus = setup.audit.system().system_blocking()?.cpus;
    setup.report.equal("L1 all processors", (before.len(), after.len()), (cpus as usize, cpus as usize));
    let forward = before.iter().zip(&after).all(|(then, now)| {
        then.number == now.number && then.switches <= now.switches && then.syscalls <= now.syscalls
    });
    setup.report.check("L1 their counters go forward", forward, format_args!("{after:?}"));
    let calls = |all: &[Processor]| all.iter().map(|it| it.syscalls).sum::<u64>();
    setup.report.check("L1 our calls count", calls(&before) < calls(&after), calls(&after));
    setup.report.check("L1 our time counts", ran < runs, runs);
    Ok(())
}

fn end(setup: &Setup, seat: Seat) -> Result<(), CallError> {
    let (report, look) = (&setup.report, &setup.look);
    let made = {
        let program = setup.nursery.program("probe-inspect")?;
        setup.nursery.child(&program, &Limits::SMALL, "made")?.unstarted()
    };
    let id = made.info_blocking()?.id;
    report.equal("L1 one that is not started", look.process(id)?.map(|it| it.life), Some(Life::Made));
    report.equal("L1 has no thread", look.threads(id)?.len(), 0);
    made.grant_blocking(setup.audit.timer())?;
    let granted = look.at(id, CapId::granted(0).index())?.map(|cap| cap.origin);
    let from = Origin::From(place(process_id(), setup.audit.timer().cap().id()));
    report.equal("L3 what was granted is from ours", granted, Some(from));
    made.kill_blocking()?;
    let process = seat.process;
    seat.end()?;
    for (name, id) in
        [("L1 one that was not started is gone", id), ("L1 one that was killed is gone", process)]
    {
        report.equal(name, look.process(id)?, None);
    }
    let left = look.read::<Capability>(Listing::Capabilities, None)?;
    let left = left.iter().filter(|cap| cap.at.process == process || cap.at.process == id).count();
    report.equal("L1 and what they held", left, 0);
    Ok(())
}
