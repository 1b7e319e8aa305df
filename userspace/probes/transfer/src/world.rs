//! The model: which id names which object, and how many slots are in use.

use probe::bare::{Bare, NEVER, REPLY, recv};
use probe::echo::INTERFACE;
use rt::abi::{Cqe, Sqe, TransferSlot};
use rt::schema::{Decode, Empty, memory_object, system_info, virtual_memory};
use rt::{CapId, TransportError};

/// Objects that travel together.
pub const OBJECTS: usize = 4;
/// What the object of index 0 says of itself; the others count on.
const FIRST: u64 = 0x0b1e_c700;

/// An endpoint, its facet, and the objects.
pub struct World {
    pub right: CapId,
    pub facet: CapId,
    pub objects: [CapId; OBJECTS],
    slots: u32,
    observer: (CapId, u64),
}

impl World {
    /// Makes everything. `observer` is a `SystemInfo` and our process id.
    pub fn new(bare: &mut Bare<'_>, observer: (CapId, u64)) -> World {
        let right = bare.endpoint(4);
        let facet = bare.mint(right, 1);
        let mut objects = [CapId::NULL; OBJECTS];
        for (number, place) in (FIRST..).zip(&mut objects) {
            *place = object(bare, number);
        }
        let mut world = World { right, facet, objects, slots: 0, observer };
        world.slots = world.slots_used(bare);
        world
    }

    /// Whether every object is held under its id, and nothing else is.
    pub fn is_intact(&self, bare: &mut Bare<'_>) -> bool {
        let held =
            self.numbers().zip(self.objects).filter(|(number, id)| look(bare, *id) == Ok(*number)).count();
        held == OBJECTS && self.slots_used(bare) == self.slots
    }

    /// Whether `ids` name the objects, in order.
    pub fn are_the_objects(&self, bare: &mut Bare<'_>, ids: &[CapId]) -> bool {
        ids.len() == OBJECTS && self.numbers().zip(ids).all(|(number, id)| look(bare, *id) == Ok(number))
    }

    /// Whether `ids` name nothing any more.
    pub fn are_gone(bare: &mut Bare<'_>, ids: &[CapId]) -> bool {
        ids.iter().all(|id| look(bare, *id) == Err(TransportError::InvalidCap.code()))
    }

    /// Gives everything back.
    pub fn end(self, bare: &mut Bare<'_>) {
        for id in self.objects.into_iter().chain([self.facet, self.right]) {
            bare.release(id);
        }
    }

    /// All objects as a capability array.
    pub fn moved(&self) -> [TransferSlot; OBJECTS] {
        self.objects.map(TransferSlot::moved)
    }

    /// The same, as copies.
    pub fn copied(&self) -> [TransferSlot; OBJECTS] {
        self.objects.map(TransferSlot::copy)
    }

    /// A call of the facet with that capability array.
    pub fn call(&self, bare: &Bare<'_>, send: &[TransferSlot], room: u8) -> Sqe {
        bare.call((self.facet, INTERFACE), 0, &Empty, send, room)
    }

    /// A receive with room for that many capabilities.
    pub fn recv(&self, room: u8) -> Sqe {
        recv(self.right, room)
    }

    fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        (FIRST..).take(OBJECTS)
    }

    fn slots_used(&self, bare: &mut Bare<'_>) -> u32 {
        let (system, process) = self.observer;
        let params = system_info::ProcessParams { cursor: process };
        let call = bare.call((system, system_info::INTERFACE_ID), system_info::PROCESS, &params, &[], 0);
        let cqe = bare.run(&call);
        bare.with_reply(&cqe, |bytes| {
            system_info::ProcessResults::decode(bytes).map_or(0, |results| results.slots)
        })
    }
}

/// A new object with a number in its first word.
fn object(bare: &mut Bare<'_>, number: u64) -> CapId {
    let target = (CapId::SELF_MEMORY, virtual_memory::INTERFACE_ID);
    let params = virtual_memory::CreateObjectParams { size: 4096 };
    let call = bare.call(target, virtual_memory::CREATE_OBJECT, &params, &[], 1);
    let id = bare.taken(&call);
    let data = number.to_le_bytes();
    let params = memory_object::WriteParams { offset: 0, data: &data };
    let call = bare.call((id, memory_object::INTERFACE_ID), memory_object::WRITE, &params, &[], 0);
    bare.run(&call);
    id
}

/// Uses a capability: the number in its object's first word, or why not.
fn look(bare: &mut Bare<'_>, id: CapId) -> Result<u64, i32> {
    let params = memory_object::ReadParams { offset: 0, length: 8 };
    let call = bare.call((id, memory_object::INTERFACE_ID), memory_object::READ, &params, &[], 0);
    let cqe = bare.run(&call);
    // Root pointer, list pointer, eight bytes.
    if cqe.result == 24 && cqe.flags == 0 { Ok(bare.ring.arena(REPLY + 16)) } else { Err(cqe.result) }
}

/// Brings a call and a receive together, either first; gives what became of both. The receive is cancelled if it still waits.
pub fn meet(bare: &mut Bare<'_>, call: &Sqe, receive: &Sqe, receiver_first: bool) -> (Cqe, Option<Cqe>) {
    let (first, second) = if receiver_first { (receive, call) } else { (call, receive) };
    let first = bare.start(first);
    bare.flush();
    let second = bare.start(second);
    bare.flush();
    let (called, received) = if receiver_first { (second, first) } else { (first, second) };
    let arrival = bare.poll(received);
    let outcome = bare.poll(called).unwrap_or(Cqe { result: NEVER, user_data: called, ..Cqe::default() });
    if arrival.is_none() {
        cancel(bare, received);
    }
    (outcome, arrival)
}

/// Cancels an operation and takes its completion.
pub fn cancel(bare: &mut Bare<'_>, number: u64) -> Cqe {
    bare.run(&Sqe { op: rt::abi::Op::Cancel as u8, aux: number, ..Sqe::default() });
    bare.wait(number)
}
