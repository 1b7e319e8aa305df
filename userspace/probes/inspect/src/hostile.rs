//! Places that there are not, lists that have changed, messages that are none; and who does not hold an inspector.

use crate::Setup;
use crate::look::Look;
use crate::seats::Seat;
use capos_inspect::{Capability, Process, Processor, Record, Records, Thread};
use core::mem::ManuallyDrop;
use probe::Limits;
use probe::bare::{self, MESSAGE};
use probe::mutate::Rng;
use rt::abi::Sqe;
use rt::generated::inspector::ListReply;
use rt::generated::{InspectorClient, TimerClient};
use rt::schema::inspector::{INTERFACE_ID, LIST, ListParams, Listing};
use rt::threads::{memory, process_id};
use rt::{CallError, Cap, CapId, ExceptionCode, TransportError};

/// Random questions.
const QUESTIONS: u64 = 500;
/// Slots that a child without an inspector tries.
const SLOTS: u32 = 64;
/// Bytes of an answer without records.
const EMPTY: u32 = 56;

/// All checks.
pub fn all(setup: &Setup, seed: u64) -> Result<(), CallError> {
    places(setup)?;
    changes(setup)?;
    buffers(setup)?;
    at_random(setup, seed)?;
    without(setup)
}

fn list(look: &Look, params: ListParams) -> Result<ListReply, CallError> {
    let ListParams { listing, only, process, index, epoch } = params;
    look.inspector.list_blocking(listing, only, process, index, epoch)
}

fn places(setup: &Setup) -> Result<(), CallError> {
    let (report, look) = (&setup.report, &setup.look);
    let of = |listing| ListParams { listing, ..ListParams::default() };
    let own = |listing| ListParams { only: true, process: process_id(), ..of(listing) };
    let nowhere = ExceptionCode::InvalidArgument;
    let cpus = u64::from(setup.audit.system().system_blocking()?.cpus);
    for (name, params) in [
        ("L5 a slot beyond all tables", ListParams { index: 65_537, ..own(Listing::Capabilities) }),
        ("L5 the last slot there can be", ListParams { index: u64::MAX, ..own(Listing::Capabilities) }),
        ("L5 an index among processes", ListParams { index: 1, ..of(Listing::Processes) }),
        ("L5 a processor too many", ListParams { index: cpus + 1, ..of(Listing::Processors) }),
        ("L5 processors of a process", own(Listing::Processors)),
    ] {
        report.fails(name, list(look, params), nowhere);
    }
    let gone = Seat::new(setup, "gone")?;
    let process = gone.process;
    gone.end()?;
    for process in [0, process, u64::MAX] {
        for listing in [Listing::Processes, Listing::Threads, Listing::Capabilities] {
            let params = ListParams { only: true, process, ..of(listing) };
            report.fails("L5 a process that there is not", list(look, params), ExceptionCode::NotFound);
        }
    }
    for (name, params) in [
        ("L5 the end of the processors", ListParams { index: cpus, ..of(Listing::Processors) }),
        ("L5 the end of the processes", ListParams { process: u64::MAX, ..of(Listing::Processes) }),
        ("L5 the end of all tables", ListParams { process: u64::MAX, ..of(Listing::Capabilities) }),
        ("L5 the end of a table", ListParams { index: 65_536, ..own(Listing::Capabilities) }),
        ("L5 the end of the threads", ListParams { index: u64::MAX, ..own(Listing::Threads) }),
    ] {
        let found = list(look, params).map(|answer| (answer.end, answer.records.len()));
        report.equal(name, found.ok(), Some((true, 0)));
    }
    Ok(())
}

fn changes(setup: &Setup) -> Result<(), CallError> {
    let (report, look) = (&setup.report, &setup.look);
    let own = ListParams {
        listing: Listing::Capabilities,
        only: true,
        process: process_id(),
        ..ListParams::default()
    };
    let epoch = list(look, own)?.epoch;
    let again = ListParams { epoch, ..own };
    report.equal("L4 nothing has changed", list(look, again).map(|answer| answer.epoch).ok(), Some(epoch));
    let came = memory().create_object_blocking(4096)?;
    report.fails("L4 something has come", list(look, again), ExceptionCode::WrongState);
    let with = list(look, own)?.epoch;
    drop(came);
    rt::threads::yield_now();
    let before = ListParams { epoch: with, ..own };
    report.fails("L4 something has gone", list(look, before), ExceptionCode::WrongState);
    report.fails(
        "L4 an epoch that never was",
        list(look, ListParams { epoch: u64::MAX, ..own }),
        ExceptionCode::WrongState,
    );
    report.works("L4 who does not care", list(look, ListParams { epoch: 0, ..own }));
    let processes = ListParams { listing: Listing::Processes, ..ListParams::default() };
    let epoch = list(look, processes)?.epoch;
    let seat = Seat::new(setup, "another")?;
    let stale = ListParams { epoch, ..processes };
    report.fails("L4 a process has come", list(look, stale), ExceptionCode::WrongState);
    let threads = ListParams { listing: Listing::Threads, only: true, process: process_id(), ..stale };
    report.fails(
        "L4 the epoch of another list",
        list(look, ListParams { epoch: epoch ^ 1 << 50, ..threads }),
        ExceptionCode::WrongState,
    );
    seat.end()
}

/// Buffers and messages of exactly such a size, which no client makes.
fn buffers(setup: &Setup) -> Result<(), CallError> {
    let inspector = setup.look.inspector.cap().id();
    bare::run(&setup.report, 10, move |bare, notes| {
        let all = ListParams { listing: Listing::Processes, ..ListParams::default() };
        let call = bare.call((inspector, INTERFACE_ID), LIST, &all, &[], 0);
        let (small, one) = (TransportError::ReplyTooLarge.code(), EMPTY + Process::LEN as u32);
        for (name, reply_len, wanted) in [
            ("L5 no room for anything", 0, small),
            ("L5 no room for a record", one - 8, small),
            ("L5 room for one", one, one as i32),
        ] {
            notes.note(name, bare.run(&Sqe { reply_len, ..call }).result, wanted);
        }
        // The listing lies in the word behind the root pointer.
        bare.put(MESSAGE + 8, &[u64::MAX]);
        notes.note("L5 a listing that is none", bare.run(&call).result, TransportError::BadMessage.code());
        let unknown = Sqe { method: 77, ..call };
        notes.note(
            "L5 a method that is none",
            bare.run(&unknown).result,
            TransportError::UnknownMethod.code(),
        );
    })
    .map(drop)
}

/// Whatever is asked, the answer is whole or a typed refusal.
fn at_random(setup: &Setup, seed: u64) -> Result<(), CallError> {
    let mut rng = Rng::new(seed);
    let (mut answers, mut refusals, mut wrong) = (0, 0, 0u64);
    for _ in 0..QUESTIONS {
        let mut word = || match rng.below(4) {
            0 => 0,
            1 => u64::from(rng.below(80)),
            2 => process_id(),
            _ => u64::from(rng.below(u32::MAX)) << rng.below(33),
        };
        let (process, index, epoch) = (word(), word(), word());
        let listing = rng.pick(&Listing::ALL).unwrap_or_default();
        match list(&setup.look, ListParams { listing, only: rng.chance(1, 2), process, index, epoch }) {
            Ok(answer) => {
                answers += 1;
                wrong += u64::from(!is_whole(listing, &answer));
            }
            Err(error) => {
                let known =
                    [ExceptionCode::InvalidArgument, ExceptionCode::NotFound, ExceptionCode::WrongState];
                refusals += 1;
                wrong += u64::from(!error.exception().is_some_and(|code| known.contains(&code)));
            }
        }
    }
    let told = format_args!("{answers} answers, {refusals} refusals, {wrong} wrong");
    setup.report.check("L5 whatever is asked", wrong == 0 && answers > 20 && refusals > 20, told);
    Ok(())
}

fn is_whole(listing: Listing, answer: &ListReply) -> bool {
    let (bytes, length) = (answer.records.as_slice(), usize::from(answer.length));
    match listing {
        Listing::Processors => are_whole::<Processor>(bytes, length),
        Listing::Processes => are_whole::<Process>(bytes, length),
        Listing::Threads => are_whole::<Thread>(bytes, length),
        Listing::Capabilities => are_whole::<Capability>(bytes, length),
    }
}

fn are_whole<R: Record>(bytes: &[u8], length: usize) -> bool {
    Records::<R>::new(bytes, length).is_ok_and(|records| records.iter().all(|record| record.is_ok()))
}

/// A child that holds no inspector tries everything; its exit code is how often it got an answer.
pub fn blind() -> i64 {
    let mut seen = 0;
    for slot in 0..SLOTS {
        for generation in 0..3 {
            let cap = Cap::from_id(CapId::new(slot, generation));
            let inspector = ManuallyDrop::new(InspectorClient::from(cap));
            seen += i64::from(inspector.list_blocking(Listing::Capabilities, false, 0, 0, 0).is_ok());
            let cap = Cap::from_id(CapId::new(slot, generation));
            let timer = ManuallyDrop::new(TimerClient::from(cap));
            // That it holds, so that it is seen to try.
            seen += 100 * i64::from(timer.now_blocking().is_ok());
        }
    }
    seen
}

fn without(setup: &Setup) -> Result<(), CallError> {
    let program = setup.nursery.program("probe-inspect")?;
    let limits = Limits { cap_slots: SLOTS, ..Limits::SMALL };
    let child = setup.nursery.child(&program, &limits, "blind")?.arg("--role=blind");
    let child = child.lend("timer", setup.audit.timer())?.start()?;
    let end = child.wait_blocking()?;
    setup.report.equal("L6 who does not hold it sees nothing", end.code, 100);
    let own = setup.look.at(process_id(), setup.look.inspector.cap().id().index())?;
    let interface = own.map(|cap| cap.interface);
    setup.report.equal("L6 who holds it is told as well", interface, Some(INTERFACE_ID));
    Ok(())
}
