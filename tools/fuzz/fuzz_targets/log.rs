//! The kernel log against a model that forgets nothing. Input: operations of one byte and their operands.
#![no_main]

use capos_log::{Level, LogBudget, LogRing, NewRecord, RECORD_OVERHEAD};
use libfuzzer_sys::fuzz_target;

const SIZE: usize = 300;

fuzz_target!(|input: &[u8]| {
    let mut log = LogRing::<SIZE>::new();
    let mut budget = LogBudget::new(1000);
    let (mut texts, mut taken, mut now) = (Vec::new(), 0u64, 0u64);
    for step in input.chunks_exact(3) {
        let (op, operand) = (step[0] % 4, u64::from(u16::from_le_bytes([step[1], step[2]])));
        match op {
            0 | 1 => {
                let letter = if op == 0 { "x" } else { "€" };
                let text = letter.repeat(operand as usize % 120);
                let process = texts.len() as u64;
                log.append(&NewRecord { time_ns: now, process, level: Level::Info, text: &text });
                texts.push(text);
            }
            2 => read(&log, operand % 200, &texts),
            _ => {
                now += operand * 10_000;
                if budget.take(now, operand % 500) {
                    taken += operand % 500 + RECORD_OVERHEAD as u64;
                }
                assert!(taken <= 1000 + now / 1_000_000);
            }
        }
    }
});

fn read(log: &LogRing<SIZE>, cursor: u64, texts: &[String]) {
    let mut out = [0; SIZE];
    match log.read(cursor, &mut out) {
        None => assert!(cursor >= texts.len() as u64),
        Some(record) => {
            let number = cursor + record.lost;
            assert_eq!((record.process, record.next), (number, number + 1));
            assert!(texts[number as usize].starts_with(record.text));
        }
    }
}
