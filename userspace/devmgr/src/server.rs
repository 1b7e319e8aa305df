//! Hands devices out, and sees to it that what is given back can be had again.

use crate::choice::{self, Choice};
use crate::wanted::AllWanted;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use capos_pci::Address;
use core::cell::RefCell;
use kit::service::{Handler, export_of};
use rt::generated::device_claim::{DeviceClaimServer, serve_device_claim};
use rt::generated::devices::{DevicesServer, ListReply, serve_devices};
use rt::generated::{DeviceClient, DeviceManagerClient, TimerClient};
use rt::schema::device_manager::{DeviceState, ListResults};
use rt::{CallContext, CallError, Either, Exception, ExceptionCode, Outgoing, Request, Signal, log, select};

/// Nanoseconds between looks at a device that is not to be had yet: at first, and, twice as long each time, at most.
const FIRST_NS: u64 = 1_000_000;
const LONGEST_NS: u64 = 1_000_000_000;

/// Nanoseconds between looks at the slots where devices come and go.
const ATTEND_NS: u64 = 100_000_000;

/// The server.
pub struct Server {
    kernel: DeviceManagerClient,
    timer: TimerClient,
    wanted: AllWanted,
    /// Which of our exports is the list.
    list_export: Option<u32>,
    /// A device became free.
    changed: Signal,
    /// Who ended and may not have given everything back yet.
    left: RefCell<BTreeSet<u64>>,
    /// There are more of these.
    leaving: Signal,
}

/// Times to look again, ever further apart.
struct Pauses(u64);

impl Pauses {
    fn next(&mut self) -> u64 {
        let pause = self.0;
        self.0 = pause.saturating_mul(2).min(LONGEST_NS);
        pause
    }
}

/// What the kernel said, for the caller.
fn refused(error: CallError) -> Exception {
    match error {
        CallError::Exception(exception) => exception,
        _ => ExceptionCode::Failed.into(),
    }
}

impl Server {
    /// Over all functions of the machine.
    pub fn new(
        kernel: DeviceManagerClient,
        timer: TimerClient,
        wanted: AllWanted,
        list_export: Option<u32>,
    ) -> Self {
        let (changed, leaving) = (Signal::new(), Signal::new());
        Server { kernel, timer, wanted, list_export, changed, left: RefCell::default(), leaving }
    }

    /// All functions. The kernel answers at once.
    fn functions(&self) -> Result<Vec<ListResults>, Exception> {
        let mut list = Vec::new();
        let mut cursor = 0;
        loop {
            match self.kernel.list_blocking(cursor) {
                Ok(function) => {
                    cursor = function.next;
                    list.push(function);
                }
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => return Ok(list),
                Err(error) => return Err(refused(error)),
            }
        }
    }

    /// Takes a function for who calls with this badge. An exception says that there is none: `notFound`, or none to be had now: `exists`.
    fn take(&self, badge: u64) -> Result<DeviceClient, Exception> {
        let number = badge as u32;
        let wanted = self.wanted.get(&number).ok_or(ExceptionCode::Denied)?;
        let mut failure = Exception::from(ExceptionCode::Exists);
        match choice::choose(&wanted.matches, number, &self.functions()?) {
            Choice::Nothing => return Err(ExceptionCode::NotFound.into()),
            Choice::Taken => return Err(failure),
            Choice::Free(candidates) => {
                for (address, policy) in candidates {
                    match self.kernel.claim_blocking(address, policy, choice::owner(badge)) {
                        Ok(device) => return Ok(device),
                        Err(error) => failure = self.why(&wanted.driver, address, policy, error),
                    }
                }
            }
        }
        Err(failure)
    }

    /// Why one that was free is not to be had. Somebody has to know: it is not the driver's fault.
    fn why(&self, driver: &str, address: u32, policy: &str, error: CallError) -> Exception {
        let place = Address::new(address).map_or_else(String::new, |address| format!("{address}"));
        if error.exception() == Some(ExceptionCode::Denied) {
            log::error(format_args!(
                "{driver} cannot have {place}: the manifest demands an IOMMU, and none is known to hold the device"
            ));
        } else {
            log::warn(format_args!("{driver} cannot have {place} as `{policy}`: {error}"));
        }
        refused(error)
    }

    /// Waits until there may be something that there was not.
    async fn pause(&self, why: ExceptionCode, pauses: &mut Pauses) -> Result<(), Exception> {
        let changed = self.changed.wait();
        if why == ExceptionCode::NotFound {
            changed.await;
            return Ok(());
        }
        match select(changed, self.sleep(pauses.next())).await {
            Either::First(()) => Ok(()),
            Either::Second(slept) => slept,
        }
    }

    async fn sleep(&self, ns: u64) -> Result<(), Exception> {
        let now = self.timer.now_blocking().map_err(refused)?;
        self.timer.sleep_until(now.saturating_add(ns)).await.map_err(refused)
    }

    /// Looks at all functions that are not quiet, and whether those who left still have some. True when nothing is left of either.
    fn look(&self) -> Result<bool, Exception> {
        let functions = self.functions()?;
        let mut left = self.left.borrow_mut();
        let before = left.len();
        left.retain(|owner| functions.iter().any(|it| it.owner == *owner));
        let (mut changed, mut done) = (left.len() < before, left.is_empty());
        for function in functions.iter().filter(|it| it.state == DeviceState::Draining) {
            let settled = self.kernel.settle_blocking(function.address).map_err(refused)?;
            changed |= settled;
            done &= settled;
        }
        if changed {
            self.changed.notify();
        }
        Ok(done)
    }

    /// Looks at every slot. True when there is one.
    fn attend(&self) -> Result<bool, Exception> {
        let (mut cursor, mut changed) = (0, false);
        loop {
            match self.kernel.attend_blocking(cursor) {
                Ok(slot) => (cursor, changed) = (slot.next, changed | slot.changed),
                Err(error) if error.exception() == Some(ExceptionCode::NotFound) => break,
                Err(error) => return Err(refused(error)),
            }
        }
        if changed {
            self.changed.notify();
        }
        Ok(cursor > 0)
    }

    /// Has devices come and go, as long as there are slots for that. Ends when that can not be done any more.
    async fn watch(&self) -> Exception {
        loop {
            match self.attend() {
                Ok(true) => {}
                Ok(false) => core::future::pending().await,
                Err(error) => return error,
            }
            if let Err(error) = self.sleep(ATTEND_NS).await {
                return error;
            }
        }
    }

    /// Looks after what comes, goes and was given back. Ends when that can not be done any more.
    pub async fn tend(&self) -> Exception {
        match select(self.settle(), self.watch()).await {
            Either::First(error) | Either::Second(error) => error,
        }
    }

    /// Looks after functions that nobody has any more, until they are free. Ends when that can not be done any more.
    async fn settle(&self) -> Exception {
        let mut pauses = Pauses(FIRST_NS);
        loop {
            let leaving = self.leaving.wait();
            match self.look() {
                Ok(true) => leaving.await,
                Ok(false) => match select(leaving, self.sleep(pauses.next())).await {
                    Either::Second(Err(error)) => return error,
                    Either::Second(Ok(())) => continue,
                    Either::First(()) => {}
                },
                Err(error) => return error,
            }
            pauses = Pauses(FIRST_NS);
        }
    }
}

impl Handler for Server {
    async fn call(self: Rc<Self>, request: Request) {
        if self.list_export == Some(export_of(request.context().badge())) {
            return serve_devices(&*self, request).await;
        }
        serve_device_claim(&Claims(self), request).await;
    }

    fn may_wait(&self, request: &Request) -> bool {
        self.list_export != Some(export_of(request.context().badge()))
    }

    fn gone(&self, badge: u64) {
        // It has ended, but what it had may be taken back a moment later.
        self.left.borrow_mut().insert(choice::owner(badge));
        self.leaving.notify();
    }
}

/// What drivers call.
struct Claims(Rc<Server>);

impl DeviceClaimServer for Claims {
    async fn claim(&self, cx: &CallContext, wait: bool) -> Result<Outgoing, Exception> {
        let Claims(server) = self;
        let mut pauses = Pauses(FIRST_NS);
        loop {
            let why = match server.take(cx.badge()) {
                Ok(device) => return Ok(device.into()),
                Err(why) => why,
            };
            let may_come = [ExceptionCode::NotFound, ExceptionCode::Exists, ExceptionCode::WrongState];
            if !wait || !may_come.contains(&why.code()) {
                return Err(why);
            }
            server.pause(why.code(), &mut pauses).await?;
        }
    }
}

impl DevicesServer for Server {
    async fn list(&self, _cx: &CallContext, cursor: u32) -> Result<ListReply, Exception> {
        let found = self.kernel.list_blocking(cursor).map_err(refused)?;
        let driver = choice::number(found.owner).and_then(|number| self.wanted.get(&number));
        Ok(ListReply {
            address: found.address,
            vendor: found.vendor,
            device: found.device,
            class: found.class,
            state: found.state,
            backend: found.backend,
            generation: found.generation,
            bridge: found.bridge,
            next: found.next,
            driver: driver.map(|wanted| wanted.driver.clone()).unwrap_or_default(),
        })
    }
}
