//! How a service hears from its supervisor (schema/control.capnp).

use crate::device::is_waiting;
use crate::service::Handler;
use alloc::rc::Rc;
use rt::generated::control::{ControlServer, serve_control};
use rt::serve::{Event, Receiver};
use rt::{CallContext, Cap, Env, Exception, Signal, spawn};

/// Receives outstanding at a time; the supervisor asks one thing after the other.
const DEPTH: usize = 1;

/// The endpoint that the parent granted as `control`, if the manifest says that this service promises to be healthy.
pub struct Control(Receiver);

impl Control {
    /// Takes it.
    pub fn take(env: &mut Env) -> Option<Control> {
        env.cap("control").ok().map(|endpoint| Control(Receiver::new(endpoint, DEPTH)))
    }

    /// Answers the supervisor in a task of its own. `drain` is notified when it asks us to end.
    pub(crate) fn serve<H: Handler + 'static>(self, handler: Rc<H>, drain: Rc<Signal>) {
        let Control(mut receiver) = self;
        let server = Rc::new(Server { handler, drain });
        spawn(async move {
            // Each in a task of its own: becoming ready may take long, and being well does not wait for it.
            while let Ok(event) = receiver.next().await {
                if let Event::Call(request) = event {
                    let server = Rc::clone(&server);
                    spawn(async move { serve_control(&*server, request).await });
                }
            }
        });
    }
}

struct Server<H> {
    handler: Rc<H>,
    drain: Rc<Signal>,
}

impl<H: Handler + 'static> ControlServer for Server<H> {
    async fn ready(&self, _cx: &CallContext, epoch: u32) -> Result<bool, Exception> {
        Rc::clone(&self.handler).ready(epoch).await.map(|()| is_waiting())
    }

    async fn ping(&self, _cx: &CallContext) -> Result<bool, Exception> {
        self.handler.well().map(|()| is_waiting())
    }

    async fn drain(&self, _cx: &CallContext) -> Result<(), Exception> {
        self.drain.notify();
        Ok(())
    }

    async fn give(
        &self,
        _cx: &CallContext,
        capability: Cap,
        epoch: u32,
        name: &str,
    ) -> Result<(), Exception> {
        self.handler.given(name, epoch, capability)
    }
}
