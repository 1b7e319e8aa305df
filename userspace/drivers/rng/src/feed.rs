//! The kernel's pool of randomness, fed now and then.

use crate::stock::Stock;
use alloc::vec::Vec;
use rt::CallError;
use rt::generated::{EntropySinkClient, TimerClient};

/// Bytes of a feed, as the interface says.
const FEED: usize = 64;
/// From one to the next. One alone is as good as all for who has not seen the pool; the next ones are for who has.
const PERIOD_NS: u64 = 10_000_000_000;

/// Feeds it, if the manifest has us do so, with bytes that nobody else gets: as soon as the device gives some, and then on and on.
pub async fn feed(sink: Option<&EntropySinkClient>, stock: &Stock, timer: &TimerClient) -> CallError {
    let Some(sink) = sink else { return core::future::pending().await };
    loop {
        if let Err(error) = feed_once(sink, stock, timer).await {
            return error;
        }
    }
}

async fn feed_once(sink: &EntropySinkClient, stock: &Stock, timer: &TimerClient) -> Result<(), CallError> {
    let mut bytes = Vec::new();
    while bytes.len() < FEED {
        bytes.extend(stock.take(FEED - bytes.len()).await);
    }
    sink.feed(&bytes).await?;
    timer.sleep_until(timer.now_blocking()?.saturating_add(PERIOD_NS)).await
}
