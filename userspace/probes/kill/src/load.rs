//! Clients that call a service all the time, whoever is killed meanwhile.

use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use rt::generated::{ByteStreamClient, TimerClient};
use rt::{CallError, Cap, ExceptionCode, threads};

/// How many.
const CLIENTS: usize = 2;
/// Below everybody else: they take what time there is.
const PRIORITY: u8 = 3;
/// Time between two looks whether to go on.
const REST_NS: u64 = 2_000_000;
/// Time between two calls.
const PAUSE_NS: u64 = 100_000;

#[derive(Default)]
struct Counts {
    on: AtomicBool,
    answered: AtomicU64,
    disconnected: AtomicU64,
    mistakes: AtomicU64,
}

/// All of them.
pub struct Load {
    counts: Arc<Counts>,
    /// The clients call through it.
    _patient: ByteStreamClient,
}

impl Load {
    /// They rest until they are told to begin.
    pub fn new(patient: ByteStreamClient, timer: &TimerClient) -> Load {
        let counts = Arc::new(Counts::default());
        for _ in 0..CLIENTS {
            let (counts, patient, timer) = (Arc::clone(&counts), patient.cap().id(), timer.cap().id());
            // It never ends, so nobody waits for that. Without it there are fewer answers, which whoever asks for them sees.
            let _ = threads::spawn(PRIORITY, move || {
                // Capabilities belong to the process; who started us keeps them.
                let patient = ManuallyDrop::new(ByteStreamClient::from(Cap::from_id(patient)));
                let timer = ManuallyDrop::new(TimerClient::from(Cap::from_id(timer)));
                loop {
                    call(&counts, &patient, &timer);
                }
            });
        }
        Load { counts, _patient: patient }
    }

    /// Whether they call.
    pub fn set_on(&self, on: bool) {
        self.counts.on.store(on, Ordering::Relaxed);
    }

    /// Calls that were answered.
    pub fn answered(&self) -> u64 {
        self.counts.answered.load(Ordering::Relaxed)
    }

    /// Calls whose server ended.
    pub fn disconnected(&self) -> u64 {
        self.counts.disconnected.load(Ordering::Relaxed)
    }

    /// Calls that ended as no call should.
    pub fn mistakes(&self) -> u64 {
        self.counts.mistakes.load(Ordering::Relaxed)
    }
}

fn call(counts: &Counts, patient: &ByteStreamClient, timer: &TimerClient) {
    let on = counts.on.load(Ordering::Relaxed);
    let until = timer.now_blocking().unwrap_or(0) + if on { PAUSE_NS } else { REST_NS };
    let _ = timer.sleep_until_blocking(until);
    if !on {
        return;
    }
    let count = match patient.write_blocking(b"how are you") {
        // It has been told nothing that it suffers from.
        Err(CallError::Exception(why)) if why.code() == ExceptionCode::InvalidArgument => &counts.answered,
        Err(error) if error.is_disconnect() => &counts.disconnected,
        _ => &counts.mistakes,
    };
    count.fetch_add(1, Ordering::Relaxed);
}
