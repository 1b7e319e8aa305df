//! A client that outlives those it calls.

use crate::cap::{Cap, Client};
use crate::generated::NamesClient;
use crate::ipc::CallError;
use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{Cell, RefCell};

/// Disconnects in a row after which it is given up.
const PATIENCE: u32 = 100;

/// What the manifest gives us under a name, whoever serves it now.
///
/// A facet stays good while its service is started again or replaced, so this only matters for what went wrong meanwhile: a call that ended
/// with `disconnected` because who had received it died, and a service that was given up and then started by a person, on another endpoint.
/// Either way the name leads to whoever serves next, and the epoch tells that it is another.
pub struct Named<C> {
    names: Rc<NamesClient>,
    name: String,
    epoch: Cell<u32>,
    client: RefCell<Option<Rc<C>>>,
}

impl<C: Client> Named<C> {
    /// What `name` leads to. Nothing is asked before the first call.
    pub fn new(names: Rc<NamesClient>, name: &str) -> Named<C> {
        Named { names, name: String::from(name), epoch: Cell::new(0), client: RefCell::new(None) }
    }

    /// The instance that was found last; 0 before the first call. State that belongs to an instance, an open file, is lost when it grows.
    pub fn epoch(&self) -> u32 {
        self.epoch.get()
    }

    /// Calls once. When that ends with `disconnected`, nobody knows whether it was done; the next call finds who serves then.
    pub async fn call<T>(&self, call: impl AsyncFn(&C) -> Result<T, CallError>) -> Result<T, CallError> {
        let client = self.client().await?;
        let result = call(&client).await;
        if result.as_ref().is_err_and(CallError::is_disconnect) {
            // Another call may have found the next one already.
            let mut known = self.client.borrow_mut();
            if known.as_ref().is_some_and(|known| Rc::ptr_eq(known, &client)) {
                *known = None;
            }
        }
        result
    }

    /// Calls until it was answered, by whomever: for what may be done twice. Fails when the service has been given up, or dies over it
    /// again and again.
    pub async fn call_again<T>(
        &self,
        call: impl AsyncFn(&C) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut tries = 0;
        loop {
            match self.call(&call).await {
                Err(error) if error.is_disconnect() && tries < PATIENCE => tries += 1,
                result => return result,
            }
        }
    }

    /// The client, found anew if need be.
    async fn client(&self) -> Result<Rc<C>, CallError> {
        if let Some(client) = &*self.client.borrow() {
            return Ok(Rc::clone(client));
        }
        let found = self.resolve().await?;
        self.epoch.set(found.0);
        let client = Rc::new(C::from(found.1));
        *self.client.borrow_mut() = Some(Rc::clone(&client));
        Ok(client)
    }

    /// Asks for the next instance. The supervisor may die over the question, and then the next one is asked.
    async fn resolve(&self) -> Result<(u32, Cap), CallError> {
        let mut tries = 0;
        loop {
            match self.names.resolve(self.epoch.get(), &self.name).await {
                Ok(found) => return Ok((found.epoch, found.facet)),
                Err(error) if error.is_disconnect() && tries < PATIENCE => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
