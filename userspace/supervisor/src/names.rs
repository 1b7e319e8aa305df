//! `Names`: whom the manifest lets a service call, by name.

use crate::state::State;
use alloc::collections::BTreeMap;
use alloc::rc::Rc;
use capos_restart::Serving;
use core::cell::RefCell;
use rt::generated::names::{NamesServer, ResolveAnswer};
use rt::{CallContext, Exception, ExceptionCode};

/// Questions of one client that may wait at a time.
const WAITING: u32 = 8;

/// The server.
pub struct Names {
    state: Rc<State>,
    waiting: RefCell<BTreeMap<u64, u32>>,
}

impl Names {
    /// Over everything that the supervisor knows.
    pub fn new(state: Rc<State>) -> Names {
        Names { state, waiting: RefCell::default() }
    }

    /// The service that a client means by a name.
    fn provider(&self, client: usize, name: &str) -> Option<usize> {
        let grant = self.state.services.get(client)?.caps.iter().find(|grant| grant.name == name)?;
        grant.source.provider().and_then(|(service, _)| self.state.find(service))
    }

    async fn serving(&self, provider: usize, seen: u32) -> Result<u32, Exception> {
        loop {
            let changed = self.state.changed.wait();
            match self.state.look(|machine| machine.serving(provider)) {
                Serving::Now(epoch) if epoch > seen => return Ok(epoch),
                Serving::Never => return Err(ExceptionCode::Disconnected.into()),
                Serving::Now(_) | Serving::Later => changed.await,
            }
        }
    }
}

/// One question that waits, counted.
struct Waiting<'a> {
    names: &'a Names,
    client: u64,
}

impl<'a> Waiting<'a> {
    fn of(names: &'a Names, client: u64) -> Result<Waiting<'a>, Exception> {
        let mut waiting = names.waiting.borrow_mut();
        let count = waiting.entry(client).or_default();
        if *count >= WAITING {
            return Err(Exception::new(ExceptionCode::BudgetExhausted, "too many questions at a time"));
        }
        *count += 1;
        Ok(Waiting { names, client })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.names.waiting.borrow_mut();
        if let Some(count) = waiting.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&self.client);
            }
        }
    }
}

impl NamesServer for Names {
    async fn resolve(&self, cx: &CallContext, seen: u32, name: &str) -> Result<ResolveAnswer, Exception> {
        let client = cx.badge() & 0xffff_ffff;
        let number = usize::try_from(client).unwrap_or(usize::MAX);
        let provider = self.provider(number, name).ok_or(ExceptionCode::NotFound)?;
        let _waiting = Waiting::of(self, client)?;
        let epoch = self.serving(provider, seen).await?;
        let facet = self.state.keeper.facet(client as u32, name).await;
        let facet = facet.map_err(|_| ExceptionCode::Failed)?.into();
        Ok(ResolveAnswer { epoch, facet })
    }
}
