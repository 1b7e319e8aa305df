use super::*;
use crate::pool::PAGE;
use crate::world::{DriverMemory, Memory};
use proptest::prelude::*;

const RUN: u64 = command::RUN;
const TO_MEMORY: u64 = command::RUN | command::TO_MEMORY;

fn publish(memory: &mut Memory, engine: &mut Engine, words: [u64; 4]) -> Result<[u64; 4], Refusal> {
    let shadow = DriverMemory::new(32);
    (0..).zip(words).for_each(|(n, word)| shadow.bytes.put(8 * n, 8, word));
    let writes = engine.publish(&shadow, &mut memory.pool)?;
    assert_eq!(writes.map(|(register, _)| register.offset), [0x80, 0x88, 0x90, 0x98]);
    Ok(writes.map(|(_, value)| value))
}

/// A buffer of two pages, and a descriptor about its token.
fn try_one(words: impl Fn(u64) -> [u64; 4]) -> Result<[u64; 4], Refusal> {
    let mut memory = Memory::new(8);
    memory.insert(2);
    let token = *memory.live.keys().next().unwrap();
    publish(&mut memory, &mut Engine::default(), words(token))
}

#[test]
fn one_side_is_memory_and_the_other_the_devices_buffer() {
    let frame = 0x10_0000;
    assert_eq!(try_one(|token| [token + 8, BUFFER, 4095, RUN]), Ok([frame + 8, BUFFER, 4095, RUN]));
    let back = try_one(|token| [BUFFER + 0x10, token, 16, TO_MEMORY | 4]);
    assert_eq!(back, Ok([BUFFER + 0x10, frame, 16, TO_MEMORY | 4]));
    assert_eq!(try_one(|token| [token, token, 16, RUN]), Err(Refusal::OutOfBuffer), "memory to memory");
    assert_eq!(try_one(|_| [BUFFER, BUFFER, 16, RUN]), Err(Refusal::Token(TokenError::Unknown)));
    assert_eq!(try_one(|token| [token, BUFFER, 16, TO_MEMORY]), Err(Refusal::OutOfBuffer), "the other way");
}

#[test]
fn transfers_stay_in_the_devices_buffer() {
    let wrong = [
        (BUFFER - 1, 1),
        (BUFFER, 4096),
        (BUFFER + 1, 4095),
        (BUFFER + 4095, 1),
        (u64::MAX, 2),
        (0, 1),
        (BUFFER, u64::MAX),
    ];
    for (place, count) in wrong {
        assert_eq!(
            try_one(|token| [token, place, count, RUN]),
            Err(Refusal::OutOfBuffer),
            "{place:#x} {count:#x}"
        );
        assert_eq!(try_one(|token| [place, token, count, TO_MEMORY]), Err(Refusal::OutOfBuffer));
    }
    assert!(try_one(|token| [token, BUFFER + 4094, 1, RUN]).is_ok());
    assert_eq!(try_one(|token| [token, BUFFER, 0, RUN]), Err(Refusal::Token(TokenError::Empty)));
    assert_eq!(
        try_one(|token| [token + 2 * PAGE - 1, BUFFER, 2, RUN]),
        Err(Refusal::Token(TokenError::OutOfRange))
    );
}

#[test]
fn commands() {
    for command in [0, 2, 4, 8, RUN | 8, RUN | 1 << 63, u64::MAX] {
        assert_eq!(try_one(|token| [token, BUFFER, 1, command]), Err(Refusal::Command(command)));
    }
}

#[test]
fn one_at_a_time_and_the_memory_stays() {
    let (mut memory, mut engine) = (Memory::new(8), Engine::default());
    memory.insert(1);
    memory.insert(1);
    let tokens: [u64; 2] = [*memory.live.keys().next().unwrap(), *memory.live.keys().nth(1).unwrap()];
    assert!(publish(&mut memory, &mut engine, [tokens[0], BUFFER, 1, RUN]).is_ok());
    assert_eq!(publish(&mut memory, &mut engine, [tokens[1], BUFFER, 1, RUN]), Err(Refusal::Busy));
    memory.remove(0);
    assert!(!engine.collect(RUN, &mut memory.pool) && memory.dying.len() == 1);
    memory.reclaim();
    assert_eq!(memory.dying.len(), 1, "the transfer runs");
    assert!(engine.collect(0, &mut memory.pool));
    memory.reclaim();
    assert!(memory.dying.is_empty());
    assert!(publish(&mut memory, &mut engine, [tokens[1], BUFFER, 1, RUN]).is_ok());
    engine.abandon(&mut memory.pool);
    assert!(memory.pool.buffers().all(|it| it.pins == 0));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is written to the registers stays within the device's buffer on one side, and in a live one on the other.
    #[test]
    fn nothing_else_is_touched(near: bool, place in any::<u64>(), at in any::<u64>(), count in any::<u64>(), command in 0..16u64) {
        let mut memory = Memory::new(8);
        memory.insert(3);
        let token = *memory.live.keys().next().unwrap();
        let (place, at, count) = if near { (BUFFER - 8 + place % 5000, token - 8 + at % 13000, count % 5000) } else { (place, at, count) };
        let words = if command & 2 != 0 { [place, at, count, command] } else { [at, place, count, command] };
        if let Ok([source, destination, count, command]) = publish(&mut memory, &mut Engine::default(), words) {
            let (frame, own) = if command & 2 != 0 { (destination, source) } else { (source, destination) };
            memory.check(&(frame..frame + count));
            prop_assert!(own >= 0x4_0000 && own + count < 0x4_1000);
        }
    }
}
