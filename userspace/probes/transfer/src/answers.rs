//! Transfers with an answer.

use crate::world::{OBJECTS, World};
use probe::bare::{Bare, CAPS, Notes, SPARE, answer};
use rt::abi::{Sqe, TransferSlot};
use rt::{CapId, TransportError};

pub fn all(bare: &mut Bare<'_>, notes: &Notes, observer: (CapId, u64)) {
    let mut world = World::new(bare, observer);
    bad_slots(bare, notes, &world);
    no_room(bare, notes, &world);
    moves(bare, notes, &mut world);
    world.end(bare);
}

/// Calls with room for so many capabilities and receives the call; gives its number and token.
fn received(bare: &mut Bare<'_>, world: &World, room: u8) -> (u64, u64) {
    let call = world.call(bare, &[], room);
    let number = bare.start(&call);
    let arrival = bare.run(&world.recv(16));
    (number, arrival.token)
}

/// An answer with that capability array, which must not lie where the caller's is.
fn with(bare: &Bare<'_>, world: &World, token: u64, slots: &[TransferSlot]) -> Sqe {
    for (n, slot) in (0u32..).zip(slots) {
        bare.put(SPARE + 8 * n, &[slot.0]);
    }
    Sqe { caps_off: SPARE, caps_send: slots.len() as u8, ..answer(world.right, token, 0) }
}

/// The server's own mistake is the server's to hear of: the call waits on.
fn bad_slots(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    for position in 0..OBJECTS {
        let (number, token) = received(bare, world, 16);
        let mut slots = world.moved();
        if let Some(place) = slots.get_mut(position) {
            *place = TransferSlot(0);
        }
        let bad = with(bare, world, token, &slots);
        notes.note("an answer with a bad id", bare.run(&bad).result, TransportError::InvalidCap.code());
        notes.note("the call waits on", i32::from(bare.poll(number).is_some()), 0);
        notes.note("bad answer: all is where it was", i32::from(world.is_intact(bare)), 1);
        let empty = answer(world.right, token, 0);
        notes.note("another answer is taken", bare.run(&empty).result, 0);
        notes.note("and arrives", bare.wait(number).result, 0);
    }
}

/// The caller's own mistake is the caller's to hear of.
fn no_room(bare: &mut Bare<'_>, notes: &Notes, world: &World) {
    for room in 0..OBJECTS as u8 {
        let (number, token) = received(bare, world, room);
        let large = with(bare, world, token, &world.moved());
        notes.note("an answer without room at the caller", bare.run(&large).result, 0);
        let heard = bare.wait(number).result;
        notes.note("who hears of it", heard, TransportError::BudgetExhausted.code());
        notes.note("no room: all is where it was", i32::from(world.is_intact(bare)), 1);
    }
}

fn moves(bare: &mut Bare<'_>, notes: &Notes, world: &mut World) {
    let before = world.objects;
    let (number, token) = received(bare, world, 16);
    let good = with(bare, world, token, &world.moved());
    notes.note("an answer with capabilities", bare.run(&good).result, 0);
    let reply = bare.wait(number);
    notes.note("as many as were sent", reply.caps, OBJECTS as u8);
    let ids: [CapId; OBJECTS] =
        core::array::from_fn(|n| CapId::from_raw(bare.ring.arena(CAPS + 8 * n as u32)));
    notes.note("they are the objects", i32::from(world.are_the_objects(bare, &ids)), 1);
    notes.note("the server's ids are stale", i32::from(World::are_gone(bare, &before)), 1);
    world.objects = ids;
    notes.note("answered: as many slots as before", i32::from(world.is_intact(bare)), 1);
}
