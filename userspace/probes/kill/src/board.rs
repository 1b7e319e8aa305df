//! What the members count, in memory that they share with the killer: it outlives them. Each has a line of its own.

use probe::mutate::Rng;
use probe::number;
use rt::generated::{MemoryObjectClient, TimerClient};
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, Env, EnvError, ExceptionCode};

/// Bytes of the whole board.
pub const SIZE: u64 = 4096;
/// Bytes of a line.
const LINE: u64 = 64;

/// Where in a line the last error stands.
const LAST: u64 = 32;

/// What is counted.
#[derive(Clone, Copy)]
pub enum Count {
    /// Things done that were as they ought to be.
    Good = 0,
    /// Calls that ended because their server did.
    Disconnected = 1,
    /// Other typed errors that a peer's end or a full queue explains.
    Refused = 2,
    /// Anything else.
    Wrong = 3,
}

/// The board, seen by the killer.
pub struct Board(Region);

impl Board {
    /// Over the object that the members have, too.
    pub fn new(object: &MemoryObjectClient) -> Result<Board, CallError> {
        Region::map(object, 0, SIZE, Protection::ReadWrite).map(Board)
    }

    /// What one member has counted.
    pub fn count(&self, line: u64, count: Count) -> u64 {
        self.0.load(line * LINE + count as u64 * 8).unwrap_or(0)
    }

    /// What a member saw the last time that something was wrong: the error's code, 0 for an answer that was not right.
    pub fn last_error(&self, line: u64) -> i64 {
        self.0.load(line * LINE + LAST).unwrap_or(0).cast_signed()
    }

    /// What all have.
    pub fn sum(&self, count: Count) -> u64 {
        (0..SIZE / LINE).map(|line| self.count(line, count)).sum()
    }
}

/// What every member of the world has.
pub struct Member {
    /// Its choices.
    pub rng: Rng,
    /// The clock.
    pub timer: TimerClient,
    /// Which line is its own.
    line: u64,
    board: Board,
}

impl Member {
    /// From its arguments and grants.
    pub fn new(env: &mut Env) -> Result<Member, EnvError> {
        let (line, seed) = (number(env, "line", 0), number(env, "seed", 1));
        let object: MemoryObjectClient = env.client("board")?;
        let board = Board::new(&object).map_err(|_| EnvError::Missing("board"))?;
        Ok(Member { rng: Rng::new(seed), timer: env.client("timer")?, line, board })
    }

    /// One more. Nobody else writes this line.
    pub fn count(&self, count: Count) {
        let number = self.board.count(self.line, count) + 1;
        self.board.0.store(self.line * LINE + count as u64 * 8, number);
    }

    /// Counts an outcome by its kind. True while there is a server to go on with.
    pub fn note<T>(&self, outcome: Result<T, CallError>, good: impl FnOnce(T) -> bool) -> bool {
        match outcome {
            Ok(answer) => self.count(if good(answer) { Count::Good } else { Count::Wrong }),
            Err(error) if error.is_disconnect() => {
                self.count(Count::Disconnected);
                return false;
            }
            Err(CallError::Transport(error)) if is_expected(error) => self.count(Count::Refused),
            // On another processor somebody has begun to end us, and the kernel makes no more threads; we have not been stopped yet.
            Err(error) if error.exception() == Some(ExceptionCode::WrongState) => self.count(Count::Refused),
            Err(error) => {
                self.board.0.store(self.line * LINE + LAST, code(&error).cast_unsigned());
                self.count(Count::Wrong);
            }
        }
        true
    }

    /// Sleeps for at most so long.
    pub fn nap(&mut self, most_ns: u32) {
        let until = self.timer.now_blocking().map(|now| now + u64::from(self.rng.below(most_ns)));
        let done = until.and_then(|until| self.timer.sleep_until_blocking(until));
        self.count(if done.is_ok() { Count::Good } else { Count::Wrong });
    }
}

/// A transport error's own, an exception's behind 1000, and 2000 for what is ours.
fn code(error: &CallError) -> i64 {
    match error {
        CallError::Transport(error) => error.code().into(),
        CallError::Exception(exception) => 1000 + i64::from(exception.code().code()),
        _ => 2000,
    }
}

/// A queue may be full, and so may a peer's table.
fn is_expected(error: rt::TransportError) -> bool {
    use rt::TransportError::{PeerBudgetExhausted, QueueFull};
    matches!(error, QueueFull | PeerBudgetExhausted)
}
