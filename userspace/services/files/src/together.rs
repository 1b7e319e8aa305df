//! Several futures at a time.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::future::poll_fn;
use core::task::Poll;

/// Runs all to their ends, side by side. The error of one that failed, if any did.
pub async fn together<E>(all: impl Iterator<Item = impl Future<Output = Result<(), E>>>) -> Result<(), E> {
    let mut running: Vec<_> = all.map(Box::pin).collect();
    let mut failed = None;
    poll_fn(|cx| {
        running.retain_mut(|future| match future.as_mut().poll(cx) {
            Poll::Pending => true,
            Poll::Ready(result) => {
                failed = failed.take().or(result.err());
                false
            }
        });
        if running.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    failed.map_or(Ok(()), Err)
}
