//! What a case has done to ranges of a disk in so many words, for the host to look at afterwards.

use alloc::rc::Rc;
use alloc::vec::Vec;
use capos_block::{Operation, Request};
use kit::block::{Client, IoError};
use rt::generated::BlockDeviceClient;

/// Follows `zero:FROM:SECTORS` and `discard:FROM:SECTORS`, one after the other; each is one request, and durable.
pub async fn follow(disk: &Rc<BlockDeviceClient>, orders: &str) -> Result<(), IoError> {
    let client = Client::open(Rc::clone(disk), 1).await?;
    for order in orders.split(',').filter(|order| !order.is_empty()) {
        let mut words = order.split(':');
        let operation = if words.next() == Some("zero") { Operation::Zero } else { Operation::Discard };
        let numbers: Vec<u64> = words.filter_map(|word| word.parse().ok()).collect();
        let (first, sectors) = match numbers.as_slice() {
            [first, sectors] => (*first, *sectors as u32),
            _ => (0, 0),
        };
        client
            .perform(Request { id: 0, operation, durable: true, buffer: 0, offset: 0, first, sectors })
            .await?;
    }
    Ok(())
}
