//! Waiting for an interrupt line without losing an edge.

use alloc::boxed::Box;
use alloc::rc::Rc;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::Poll;
use rt::CallError;
use rt::generated::InterruptClient;

type Wait = Pin<Box<dyn Future<Output = Result<u64, CallError>>>>;

/// A line, with a wait for it always on its way to the kernel.
///
/// The wait is what unmasks the line. So it is submitted before the driver looks at the device: what happens after the look
/// fires the wait, and what happened before is seen by the look.
pub struct Line {
    interrupt: Rc<InterruptClient>,
    wait: Wait,
}

impl Line {
    /// Over the line that was granted.
    pub fn new(interrupt: InterruptClient) -> Self {
        let interrupt = Rc::new(interrupt);
        let wait = start(&interrupt);
        Line { interrupt, wait }
    }

    /// Submits the wait if it was not yet. Call before looking at the device.
    pub async fn arm(&mut self) -> Result<(), CallError> {
        poll_fn(|cx| {
            Poll::Ready(match self.wait.as_mut().poll(cx) {
                Poll::Ready(fired) => {
                    self.wait = start(&self.interrupt);
                    // It fired meanwhile: the look that follows sees why. The next wait is submitted by polling it once.
                    drop(self.wait.as_mut().poll(cx));
                    fired.map(drop)
                }
                Poll::Pending => Ok(()),
            })
        })
        .await
    }

    /// Completes when the line has fired; gives how often it has in all. Dropping the future keeps the wait.
    pub async fn fired(&mut self) -> Result<u64, CallError> {
        let count = self.wait.as_mut().await;
        self.wait = start(&self.interrupt);
        count
    }
}

fn start(interrupt: &Rc<InterruptClient>) -> Wait {
    let interrupt = Rc::clone(interrupt);
    Box::pin(async move { interrupt.wait().await })
}
