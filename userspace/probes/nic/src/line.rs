//! A session with the device, its buffers armed.

use alloc::vec::Vec;
use capos_nic::{Operation, Request, Status};
use core::cell::RefCell;
use kit::nic::Session;
use kit::queue::End;
use rt::CallError;
use rt::generated::{NicClient, NicSessionClient};
use rt::region::Region;
use rt::schema::nic::InfoResults;
use rt::schema::virtual_memory::Protection;
use rt::threads::memory;

/// Entries of the queues: half of them for frames that come.
const ENTRIES: u32 = 256;
const RECEIVES: u32 = 128;

/// Room for one frame; the device may ask for more.
const ROOM: u32 = 2048;

/// Bits of addresses that any device has.
const ADDRESS_BITS: u8 = 32;

/// The session.
pub struct Line {
    session: Session,
    buffer: u16,
    memory: Region,
    room: u32,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    /// Places of frames that can be sent.
    free: Vec<u32>,
    /// What came of a frame that goes on.
    begun: Vec<u8>,
}

/// What is over.
pub enum Frame {
    /// A frame has come.
    Whole(Vec<u8>),
    /// One was sent, or a part has come.
    Sent,
}

impl Line {
    /// Begins it, and arms its buffers.
    pub async fn open(nic: &NicClient, info: &InfoResults) -> Result<Line, CallError> {
        let room = ROOM.max(info.least.next_multiple_of(ROOM));
        let size = u64::from(ENTRIES * room);
        let object = memory().create_dma_object(size, ADDRESS_BITS).await?;
        let region = Region::map(&object, 0, size, Protection::ReadWrite)?;
        let session = Session::open(nic, ENTRIES).await?;
        let buffer = session.control().attach(&object).await?;
        let state = RefCell::new(State { free: (RECEIVES..ENTRIES).collect(), begun: Vec::new() });
        let line = Line { session, buffer, memory: region, room, state };
        for place in 0..RECEIVES {
            // There is room for all. A session that has ended already tells so when it is asked what is over.
            let _ = line.arm(place);
        }
        Ok(line)
    }

    /// By which it is chosen what is heard.
    pub fn control(&self) -> &NicSessionClient {
        self.session.control()
    }

    /// The session itself, and the number of its memory.
    pub fn session(&self) -> (&Session, u16) {
        (&self.session, self.buffer)
    }

    fn request(&self, operation: Operation, place: u32, length: u32) -> Request {
        let (buffer, offset) = (self.buffer, place * self.room);
        Request { id: place, operation, buffer, offset, length, checksum: None, segments: None }
    }

    fn arm(&self, place: u32) -> Result<bool, End> {
        self.session.ask(&self.request(Operation::Receive, place, self.room))
    }

    /// Sends a frame; false when there is no room, or no session.
    pub fn send(&self, frame: &[u8]) -> bool {
        let Some(place) = self.state.borrow_mut().free.pop() else { return false };
        self.memory.write(u64::from(place * self.room), frame);
        let asked = self.session.ask(&self.request(Operation::Send, place, frame.len() as u32));
        let is_asked = asked == Ok(true);
        if !is_asked {
            self.state.borrow_mut().free.push(place);
        }
        is_asked
    }

    /// What is over next, if anything is.
    pub fn next(&self) -> Result<Option<Frame>, End> {
        let Some(over) = self.session.over()? else { return Ok(None) };
        let place = over.id;
        let mut state = self.state.borrow_mut();
        if place >= RECEIVES {
            state.free.push(place);
            return Ok(Some(Frame::Sent));
        }
        if over.status == Status::Done {
            let from = u64::from(place * self.room) + u64::from(over.skip);
            state.begun.extend(self.memory.bytes(from, over.length as usize).unwrap_or_default());
        }
        self.arm(place)?;
        if over.goes_on {
            return Ok(Some(Frame::Sent));
        }
        Ok(Some(Frame::Whole(core::mem::take(&mut state.begun))))
    }

    /// Waits for what is over; false when the session has ended.
    pub async fn wait(&self) -> Result<bool, End> {
        self.session.wait().await
    }
}
