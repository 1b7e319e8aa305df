//! Children that obey, and what one knows of them.

use crate::Setup;
use crate::hand::{DROP, PASS, REVOKE, TAKE};
use probe::{Limits, echo, factory};
use rt::abi::TransferSlot;
use rt::generated::{EndpointClient, ProcessHandleClient};
use rt::ipc::call_blocking;
use rt::{CallError, Cap, CapId, Client};

/// What a child may use.
pub const LIMITS: Limits = Limits { cap_slots: 40, priority: 7, log_bytes: 3000, ..Limits::threads(2) };

/// One child.
pub struct Seat {
    pub handle: ProcessHandleClient,
    pub process: u64,
    /// To it.
    pub way: Cap,
    /// Our right to receive where it does, with the number that the inspector gives the endpoint.
    pub right: CapId,
    /// Slots that it had from the beginning.
    pub own: usize,
}

/// The badge of our way.
pub const BADGE: u64 = 0xbad6e;

impl Seat {
    /// A new child.
    pub fn new(setup: &Setup, name: &str) -> Result<Seat, CallError> {
        let endpoint = factory().create_blocking(4)?;
        let way = endpoint.mint_blocking(BADGE, echo::INTERFACE)?;
        let program = setup.nursery.program("probe-inspect")?;
        let child = setup.nursery.child(&program, &LIMITS, name)?.arg("--role=hand");
        let child = child.give("serve", EndpointClient::ID, &endpoint)?;
        let handle = child.start()?;
        let process = handle.info_blocking()?.id;
        let right = endpoint.into_cap().into_id();
        let mut seat = Seat { handle, process, way, right, own: 0 };
        // Once it answers it has made of itself what it makes.
        seat.say(DROP, &[CapId::NULL.raw()])?;
        seat.own = setup.look.holds(process)?.len();
        Ok(seat)
    }

    /// It ends.
    pub fn end(self) -> Result<(), CallError> {
        drop(Cap::from_id(self.right));
        self.handle.kill_blocking()
    }

    /// Says some words; gives the first of the answer.
    pub fn say(&self, method: u16, words: &[u64]) -> Result<u64, CallError> {
        echo::call::<1>(&self.way, method, words).map(|[word]| word)
    }

    /// Gives it something; gives the id there.
    pub fn give(&self, slot: TransferSlot) -> Result<CapId, CallError> {
        let reply =
            call_blocking(&self.way, echo::INTERFACE, TAKE, |out| echo::put(out, &[]), &[slot], 0, 8)?;
        Ok(CapId::from_raw(echo::word(reply.bytes(), 0)))
    }

    /// Gets a copy of something that it has, or that itself.
    pub fn get(&self, id: CapId, moved: bool) -> Result<CapId, CallError> {
        let words = [id.raw(), u64::from(moved)];
        let reply = call_blocking(&self.way, echo::INTERFACE, PASS, |out| echo::put(out, &words), &[], 1, 8)?;
        Ok(reply.take_cap(0)?.into_id())
    }

    /// Has it give something up.
    pub fn drop(&self, id: CapId) -> Result<(), CallError> {
        self.say(DROP, &[id.raw()]).map(drop)
    }

    /// Has it revoke what derives from something.
    pub fn revoke(&self, id: CapId) -> Result<bool, CallError> {
        Ok(self.say(REVOKE, &[id.raw()])? == 0)
    }
}
