//! What the device has given and nobody has taken yet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::cell::RefCell;
use rt::Signal;

/// Random bytes, piece by piece as the device filled them. Each piece goes back to it when it is used up.
pub struct Stock {
    pieces: RefCell<VecDeque<(usize, Vec<u8>)>>,
    used: RefCell<Vec<usize>>,
    /// There is something to take.
    filled: Signal,
    /// A piece is used up.
    pub emptied: Signal,
}

impl Stock {
    /// With nothing in it.
    pub fn new() -> Self {
        let (filled, emptied) = (Signal::new(), Signal::new());
        Stock { pieces: RefCell::default(), used: RefCell::default(), filled, emptied }
    }

    /// A piece was filled.
    pub fn add(&self, piece: usize, bytes: Vec<u8>) {
        self.pieces.borrow_mut().push_back((piece, bytes));
        self.filled.notify();
    }

    /// Pieces that were used up since the last time.
    pub fn take_used(&self) -> Vec<usize> {
        self.used.take()
    }

    /// The device was reset and has all its pieces.
    pub fn clear(&self) {
        self.pieces.borrow_mut().clear();
        self.used.borrow_mut().clear();
    }

    /// At most `most` random bytes, which are nobody else's, as soon as there are any.
    pub async fn take(&self, most: usize) -> Vec<u8> {
        loop {
            if let Some(bytes) = self.take_now(most) {
                return bytes;
            }
            self.filled.wait().await;
        }
    }

    fn take_now(&self, most: usize) -> Option<Vec<u8>> {
        let mut pieces = self.pieces.borrow_mut();
        let (_, bytes) = pieces.front_mut()?;
        let taken = bytes.split_off(bytes.len().saturating_sub(most));
        if bytes.is_empty()
            && let Some((piece, _)) = pieces.pop_front()
        {
            self.used.borrow_mut().push(piece);
            self.emptied.notify();
        }
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::Stock;

    #[test]
    fn each_byte_is_taken_once_and_each_piece_goes_back() {
        let stock = Stock::new();
        assert_eq!(stock.take_now(8), None);
        stock.add(3, [1, 2, 3].into());
        stock.add(1, [4].into());
        let mut taken = stock.take_now(2).unwrap();
        assert!(stock.take_used().is_empty(), "there is more of it");
        taken.extend(stock.take_now(8).unwrap());
        assert_eq!(stock.take_used(), [3]);
        taken.extend(stock.take_now(8).unwrap());
        taken.sort_unstable();
        assert_eq!((taken, stock.take_used()), ([1, 2, 3, 4].into(), [1].into()));
        assert_eq!(stock.take_now(8), None);
    }

    #[test]
    fn nothing_is_left_of_a_device_that_was_reset() {
        let stock = Stock::new();
        stock.add(0, [1].into());
        stock.take_now(1);
        stock.add(1, [2].into());
        stock.clear();
        assert_eq!((stock.take_now(1), stock.take_used().len()), (None, 0));
    }
}
