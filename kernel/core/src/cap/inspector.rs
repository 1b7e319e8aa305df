//! `Inspector`: everything there is to see of all processes.
//!
//! Nothing is kept for it: all is read where it lies, under the lock that is there for it, one list at a time. What one call does is bounded by
//! [`Work`] and by the room in its answer. No object has a number before somebody looks at it ([`kernel_hal::label::Label`]).

mod capabilities;
mod processes;
mod threads;

use super::{Call, Outcome};
use crate::task::process::Process;
use crate::task::registry;
use capos_abi::{ExceptionCode, MAX_MESSAGE, TransportError};
use capos_inspect::{Page, Record};
use capos_schema::inspector::{ListParams, ListResults, Listing};
use kernel_hal::sync::Ref;
use kernel_hal::time;

/// Bytes of an answer without records.
const EMPTY: usize = 56;

/// Slots, threads and processes that one call looks at.
const WORK: usize = 512;

/// The right to look at everybody.
#[derive(Clone)]
pub(crate) struct Inspector;

impl Inspector {
    #[inline(never)]
    pub(super) fn list(&self, call: &mut Call<'_>, params: ListParams) -> Outcome {
        let mut buffer = [0; MAX_MESSAGE - EMPTY];
        let room = (call.buffers().answer.len() as usize).saturating_sub(EMPTY).min(buffer.len());
        let out = buffer.get_mut(..room).unwrap_or_default();
        match params.listing {
            Listing::Processors => answer(call, &params, &mut Page::new(out), processes::processors),
            Listing::Processes => answer(call, &params, &mut Page::new(out), processes::list),
            Listing::Threads => {
                answer(call, &params, &mut Page::new(out), |params, page| walk(params, page, threads::look))
            }
            Listing::Capabilities => answer(call, &params, &mut Page::new(out), |params, page| {
                capabilities::check(params)?;
                walk(params, page, capabilities::look)
            }),
        }
    }
}

/// How far a listing has come.
struct Reached {
    process: u64,
    index: u64,
    epoch: u64,
    end: bool,
}

fn answer<'b, R: Record>(
    call: &mut Call<'_>,
    params: &ListParams,
    page: &mut Page<'b, R>,
    list: impl FnOnce(&ListParams, &mut Page<'b, R>) -> Result<Reached, ExceptionCode>,
) -> Outcome {
    if !page.has_room() {
        return Outcome::error(TransportError::ReplyTooLarge);
    }
    match list(params, page) {
        Ok(Reached { process, index, epoch, end }) => call.reply_large(&ListResults {
            time_ns: time::now_ns(),
            epoch,
            process,
            index,
            length: R::LEN as u16,
            end,
            records: page.bytes(),
        }),
        Err(code) => Outcome::exception(code),
    }
}

/// What is left of what one call may look at.
struct Work(usize);

impl Work {
    /// Looks at something that is as much as `cost` slots. Nothing is left afterwards if that was too much.
    fn spend(&mut self, cost: usize) {
        self.0 = self.0.saturating_sub(cost);
    }

    fn is_done(&self) -> bool {
        self.0 == 0
    }
}

/// How far a listing has come with one process.
struct Step {
    /// Where its list goes on; `None`: it is through.
    next: Option<u64>,
    /// Of the list, which was locked.
    epoch: u64,
}

/// Goes from process to process, and looks at what each has of something from a place on.
fn walk<R: Record>(
    params: &ListParams,
    page: &mut Page<'_, R>,
    look: impl Fn(&Process, u64, &mut Work, &mut Page<'_, R>) -> Step,
) -> Result<Reached, ExceptionCode> {
    let (mut process, mut index, mut expected) = (params.process, params.index, params.epoch);
    let mut work = Work(WORK);
    while page.has_room() && !work.is_done() {
        let Some(found) = find(params, process)? else {
            // The list that it was in has gone with its process.
            return if expected == 0 { Ok(through(process, 0)) } else { Err(ExceptionCode::WrongState) };
        };
        if found.id != process {
            (process, index) = (found.id, 0);
        }
        work.spend(1);
        let Step { next, epoch } = look(&found, index, &mut work, page);
        if expected != 0 && (expected != epoch || found.id != params.process) {
            return Err(ExceptionCode::WrongState);
        }
        match next {
            Some(index) => return Ok(Reached { process, index, epoch, end: false }),
            None if params.only => return Ok(through(process, epoch)),
            None => (process, index, expected) = (process + 1, 0, 0),
        }
    }
    Ok(Reached { process, index, epoch: 0, end: false })
}

/// The process that is next; with `only` that one or none.
fn find(params: &ListParams, process: u64) -> Result<Option<Ref<Process>>, ExceptionCode> {
    if params.only {
        return registry::find(process).map(Some).ok_or(ExceptionCode::NotFound);
    }
    Ok(registry::at_or_after(process))
}

/// Nothing follows.
fn through(process: u64, epoch: u64) -> Reached {
    Reached { process, index: 0, epoch, end: true }
}
