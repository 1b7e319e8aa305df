//! A reading goes on, begins anew, and comes to an end.

use super::thread;
use crate::bytes::Writer;
use crate::{Malformed, Place, Reading, Record, Thread};
use std::vec::Vec;

fn bytes(ids: &[u64]) -> Vec<u8> {
    let mut all = Vec::new();
    for id in ids {
        let mut one = [0; Thread::LEN];
        Thread { id: *id, ..thread() }.put(&mut Writer::new(&mut one));
        all.extend(one);
    }
    all
}

fn place(process: u64, index: u64, epoch: u64) -> Option<Place> {
    Some(Place { process, index, epoch })
}

fn ids(reading: Reading<Thread>) -> (Vec<u64>, bool) {
    let (records, whole) = reading.finish();
    (records.iter().map(|thread| thread.id).collect(), whole)
}

#[test]
fn answers_follow_each_other() {
    let mut reading = Reading::<Thread>::new();
    assert_eq!(reading.next(), place(0, 0, 0));
    assert_eq!(reading.heard(place(3, 7, 5), Thread::LEN, &bytes(&[1, 2])), Ok(()));
    assert_eq!(reading.next(), place(3, 7, 5), "with the epoch that was told");
    assert_eq!(reading.heard(place(4, 0, 0), Thread::LEN, &[]), Ok(()));
    assert_eq!(reading.heard(None, Thread::LEN, &bytes(&[3])), Ok(()));
    assert_eq!(reading.next(), None);
    assert_eq!(ids(reading), (Vec::from([1, 2, 3]), true));
}

#[test]
fn what_changes_is_read_anew_and_in_the_end_as_it_comes() {
    let mut reading = Reading::<Thread>::new();
    for _ in 0..3 {
        assert_eq!(reading.heard(place(3, 7, 5), Thread::LEN, &bytes(&[1])), Ok(()));
        assert_eq!(reading.next(), place(3, 7, 5));
        reading.changed();
        assert_eq!(reading.next(), place(0, 0, 0));
    }
    assert_eq!(reading.heard(place(3, 7, 5), Thread::LEN, &bytes(&[1])), Ok(()));
    assert_eq!(reading.next(), place(3, 7, 0), "whatever its epoch is");
    assert_eq!(reading.heard(None, Thread::LEN, &bytes(&[2])), Ok(()));
    assert_eq!(ids(reading), (Vec::from([1, 2]), false));
}

#[test]
fn an_answer_that_is_none_ends_it() {
    let read = |next, length, bytes: &[u8]| {
        let mut reading = Reading::<Thread>::new();
        assert_eq!(reading.heard(place(3, 7, 5), Thread::LEN, &[]), Ok(()));
        reading.heard(next, length, bytes)
    };
    assert_eq!(read(None, Thread::LEN, &bytes(&[1])), Ok(()));
    assert_eq!(read(None, Thread::LEN, &[0; 1]), Err(Malformed));
    assert_eq!(read(None, 0, &[]), Err(Malformed));
    for stuck in [place(3, 7, 6), place(3, 6, 5), place(2, 99, 5), place(0, 0, 0)] {
        assert_eq!(read(stuck, Thread::LEN, &[]), Err(Malformed), "it would never end");
    }
}
