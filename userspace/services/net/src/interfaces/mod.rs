//! Each interface, for one call.

mod authorities;
mod connections;
mod datagrams;
mod manager;

use crate::server::Server;
use alloc::rc::Rc;
use capos_net::scope::Scope;
use capos_net::stack::Rooms;

/// An authority is called.
pub struct Authority {
    /// The service.
    pub server: Rc<Server>,
    /// What it is for.
    pub scope: Rc<Scope>,
}

/// Something that somebody has is called.
pub struct Socket<T> {
    /// The service.
    pub server: Rc<Server>,
    /// What it is.
    pub on: Rc<T>,
}

/// Room for bytes in each direction if nobody says how much, at least, and at most.
const ROOM: u32 = 32 * 1024;
const LEAST: u32 = 2 * 1024;
const MOST: u32 = 1024 * 1024;

fn rooms(receive: u32, send: u32) -> Rooms {
    let room = |asked: u32| if asked == 0 { ROOM } else { asked.clamp(LEAST, MOST) } as usize;
    Rooms { receive: room(receive), send: room(send) }
}
