//! Startup blocks: what is read can be written again and reads the same.
#![no_main]

use capos_abi::startup::{Reader, Writer};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|block: &[u8]| {
    let records: Vec<_> = Reader::new(block).collect();
    let mut buffer = vec![0; block.len()];
    let mut writer = Writer::new(&mut buffer);
    for record in &records {
        writer.push(*record).expect("it was there before, so it fits");
    }
    let length = writer.len();
    assert!(length <= block.len());
    assert!(Reader::new(&buffer[..length]).eq(records));
});
