//! Which of our own facets a capability is that a client passes.
//!
//! Only the kernel knows, so we call it: if it is ours the call arrives here with the facet's badge. What is asked is a number that nobody can
//! guess, or somebody could answer with a facet of his own in place of the one that was passed.

use alloc::collections::BTreeMap;
use core::cell::RefCell;
use rt::generated::EntropySourceClient;
use rt::{CallError, Exception, ExceptionCode};

/// Questions that are out.
pub struct Proofs {
    entropy: EntropySourceClient,
    /// The badge that answered, by the question.
    asked: RefCell<BTreeMap<u64, Option<u64>>>,
}

impl Proofs {
    /// None is.
    pub fn new(entropy: EntropySourceClient) -> Self {
        Proofs { entropy, asked: RefCell::default() }
    }

    /// The badge of a facet; `ask` calls it with the question. `invalidArgument` when it is none of ours.
    pub async fn badge(&self, ask: impl AsyncFnOnce(u64) -> Result<(), CallError>) -> Result<u64, Exception> {
        let question = self.question()?;
        self.asked.borrow_mut().insert(question, None);
        // Whether the call came back does not matter: it has come here, or has not.
        let _ = ask(question).await;
        let answer = self.asked.borrow_mut().remove(&question).flatten();
        answer.ok_or_else(|| ExceptionCode::InvalidArgument.into())
    }

    /// A facet was called with that number.
    pub fn answered(&self, question: u64, badge: u64) {
        if let Some(answer) = self.asked.borrow_mut().get_mut(&question) {
            *answer = Some(badge);
        }
    }

    /// A name for a new volume.
    pub fn uuid(&self) -> Result<u128, Exception> {
        self.random().map(u128::from_le_bytes)
    }

    fn question(&self) -> Result<u64, Exception> {
        self.random().map(u64::from_le_bytes)
    }

    fn random<const N: usize>(&self) -> Result<[u8; N], Exception> {
        let bytes = self.entropy.fill_blocking(N as u32).map_err(|_| ExceptionCode::Failed)?;
        bytes.as_slice().try_into().map_err(|_| ExceptionCode::Failed.into())
    }
}
