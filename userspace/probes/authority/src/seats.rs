//! The players' processes.

use crate::Setup;
use crate::words::{PLAYERS, WIRE};
use alloc::format;
use alloc::vec::Vec;
use probe::{Limits, echo, factory};
use rt::abi::TransferSlot;
use rt::generated::{EndpointClient, MemoryObjectClient, ProcessHandleClient};
use rt::ipc::call_blocking;
use rt::{CallError, Cap, CapId, Client};

/// Slots of each.
const SLOTS: u32 = 24;

/// One player.
pub struct Seat {
    handle: ProcessHandleClient,
    process: u64,
    /// To it.
    pub way: Cap,
    /// Under which it knows the ways to all.
    ways: [CapId; PLAYERS as usize],
    /// Slots that are not for the game.
    own: u64,
}

/// All players.
pub struct Seats<'s> {
    setup: &'s Setup,
    pub all: Vec<Seat>,
}

impl<'s> Seats<'s> {
    /// Takes all seats.
    pub fn new(setup: &'s Setup) -> Result<Self, CallError> {
        let mut seats = Seats { setup, all: Vec::new() };
        for place in 0..PLAYERS {
            let seat = seats.make(place, Vec::new())?;
            seats.all.push(seat);
        }
        for place in 0..PLAYERS {
            seats.connect(place)?;
        }
        Ok(seats)
    }

    /// A process at `place`, with capabilities granted to it.
    fn make(&self, place: u32, granted: Vec<Cap>) -> Result<Seat, CallError> {
        let endpoint = factory().create_blocking(4)?;
        let way = endpoint.mint_blocking(1, echo::INTERFACE)?;
        let program = self.setup.nursery.program("probe-authority")?;
        let limits = Limits { cap_slots: SLOTS, ..Limits::threads(2) };
        let child = self.setup.nursery.child(&program, &limits, "player")?;
        let mut child = child.arg("--role=player").arg(&format!("--player={place}")).give(
            "serve",
            EndpointClient::ID,
            endpoint,
        )?;
        for cap in granted {
            child = child.give("birth", MemoryObjectClient::ID, cap)?;
        }
        let handle = child.start()?;
        let process = handle.info_blocking()?.id;
        Ok(Seat { handle, process, way, ways: [CapId::NULL; PLAYERS as usize], own: 0 })
    }

    /// The id that the `n`th capability has that is granted at birth.
    pub fn at_birth(n: u32) -> CapId {
        CapId::granted(1 + n)
    }

    /// Gives the player at `place` a way to everybody, and everybody a new way to it.
    fn connect(&mut self, place: u32) -> Result<(), CallError> {
        for other in 0..PLAYERS {
            self.wire(place, other)?;
            if other != place {
                self.wire(other, place)?;
            }
        }
        Ok(())
    }

    fn wire(&mut self, from: u32, to: u32) -> Result<(), CallError> {
        let (Some(seat), Some(other)) = (self.all.get(from as usize), self.all.get(to as usize)) else {
            return Ok(());
        };
        let say = |slots: &[TransferSlot]| {
            let encode = |out: &mut [u8]| echo::put(out, &[u64::from(to)]);
            let reply = call_blocking(&seat.way, echo::INTERFACE, WIRE, encode, slots, 0, 8)?;
            Ok::<u64, CallError>(echo::word(reply.bytes(), 0))
        };
        // First without the old one, as there may be no slot for two.
        say(&[])?;
        let id = CapId::from_raw(say(&[TransferSlot::copy(other.way.id())])?);
        if let Some(way) = self.all.get_mut(from as usize).and_then(|seat| seat.ways.get_mut(to as usize)) {
            *way = id;
        }
        Ok(())
    }

    /// Writes down how many slots of the player at `place` are taken, when it holds `held` capabilities of the game.
    pub fn measure(&mut self, place: u32, held: u64) -> Result<(), CallError> {
        let Some(seat) = self.all.get_mut(place as usize) else { return Ok(()) };
        let used = u64::from(self.setup.audit.system().process_blocking(seat.process)?.slots);
        seat.own = used - held;
        Ok(())
    }

    /// Kills the player at `place`, and seats another one there who begins with `granted`.
    pub fn replace(&mut self, place: u32, granted: Vec<Cap>) -> Result<(), CallError> {
        let Some(seat) = self.all.get(place as usize) else { return Ok(()) };
        seat.handle.kill_blocking()?;
        let new = self.make(place, granted)?;
        if let Some(seat) = self.all.get_mut(place as usize) {
            *seat = new;
        }
        self.connect(place)
    }

    /// How many capabilities of the game the player at `place` has room for.
    pub fn room(&self, place: u32) -> u64 {
        self.all.get(place as usize).map_or(0, |seat| u64::from(SLOTS) - seat.own)
    }

    /// How many it holds, as the kernel counts its slots.
    pub fn holds(&self, place: u32) -> Result<u64, CallError> {
        let Some(seat) = self.all.get(place as usize) else { return Ok(0) };
        Ok(u64::from(self.setup.audit.system().process_blocking(seat.process)?.slots) - seat.own)
    }

    /// Whether an id is none of the game's there.
    pub fn is_own(&self, place: u32, id: CapId) -> bool {
        let own = id.index() <= CapId::granted(0).index() && id.generation() == 1;
        own || self.all.get(place as usize).is_some_and(|seat| seat.ways.contains(&id))
    }

    /// Everybody leaves.
    pub fn leave(self) -> Result<(), CallError> {
        self.all.iter().try_for_each(|seat| seat.handle.kill_blocking())
    }
}
