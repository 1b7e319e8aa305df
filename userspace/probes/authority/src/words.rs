//! What the judge and the players say to each other: words.

/// Most capabilities of one transfer.
pub const MOST: usize = 3;
/// Players.
pub const PLAYERS: u32 = 4;

/// Makes memory with the number `[number]` in its first word: `[outcome, id]`.
pub const MAKE: u16 = 0;
/// Makes a facet that cannot write of `[id]`: `[outcome, id]`.
pub const NARROW: u16 = 1;
/// Gives `[id]` up: `[outcome]`.
pub const RELEASE: u16 = 2;
/// Revokes what derives from `[id]`: `[outcome]`.
pub const REVOKE: u16 = 3;
/// Sends player `[to, slots..]` what the slots say, with a call: `[outcome, ids..]`, the ids there.
pub const SEND: u16 = 4;
/// Asks player `[from, slots..]` for what the slots there say, which comes with the answer: `[outcome, ids..]`, the ids here.
pub const ASK: u16 = 5;
/// Says what `[ids..]` are: for each `[outcome, number, writable]`.
pub const SHOW: u16 = 6;
/// The capability beside it is the way to player `[to]` from now on.
pub const WIRE: u16 = 7;
/// Between players: here are capabilities; the answer is their ids.
pub const DELIVER: u16 = 8;
/// Between players: give me `[slots..]`; they come with the answer, or `[outcome]` says why not.
pub const GIVE: u16 = 9;

/// Words for each.
pub const SHOWN: usize = 3;

/// An outcome is 0, or a transport error as it is, or this and the code of an exception.
pub const EXCEPTION: u64 = 1 << 32;
