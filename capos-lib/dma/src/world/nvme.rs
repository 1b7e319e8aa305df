//! A driver without morals, a controller that does what its queues say, and two pairs of queues between them.

use super::{Bytes, DriverMemory, Input, Memory, stir};
use crate::class::{Register, Registers, Ring};
use crate::nvme::{Buffers, Command, Controller, Layout, Queue, Reason};
use crate::pool::PAGE;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::ops::Range;

/// Where the real memory of a queue is, and of the next one.
const RINGS: u64 = 0x8000_0000;
const RING_STEP: u64 = 0x100_0000;

/// Whatever of these the input says, in any order.
pub fn play(bytes: &[u8]) {
    let mut input = Input(bytes);
    let size = 2 << input.below(4);
    let mut world = World::new(Layout::new(size).expect("a power of two"));
    if input.byte() & 7 != 0 {
        world.bring_up();
    }
    while !input.is_empty() {
        world.step(&mut input);
        world.check();
    }
}

/// The truth about namespaces: bytes of a sector with its metadata, and what Identify says: formatted size, and the formats.
fn namespace(id: u32) -> Option<(u64, u8, [u32; 2])> {
    match id {
        1 => Some((512, 0, [9 << 16, 12 << 16])),
        2 => Some((4096, 1, [9 << 16, 12 << 16])),
        3 => Some((520, 0x10, [9 << 16 | 8, 12 << 16])),
        4 => Some((1 << 20, 0, [20 << 16, 12 << 16])),
        5 => Some((65536, 0x20, [9 << 16, 12 << 16])),
        _ => None,
    }
}

/// Words in buffers.
#[derive(Default)]
struct Contents {
    words: RefCell<BTreeMap<u64, u64>>,
    slots: BTreeMap<u16, u64>,
    noise: Cell<u64>,
}

impl Buffers for Contents {
    fn read64(&self, slot: u16, offset: u64) -> u64 {
        let base = self.slots.get(&slot).expect("a live buffer");
        let word = self.words.borrow().get(&(base + offset)).copied().unwrap_or(0);
        stir(&self.noise, word, 8)
    }
}

/// Registers are not what this is about.
struct NoRegisters;

impl Registers for NoRegisters {
    fn read(&mut self, _: Register) -> u64 {
        0
    }

    fn write(&mut self, _: Register, _: u64) {}
}

/// A pair of queues, from both sides.
struct Pair {
    id: u16,
    layout: Layout,
    base: u64,
    shadow: DriverMemory,
    real: Bytes,
    queue: Queue,
    /// The driver's.
    tail: u16,
    next_id: u16,
    /// What the device was told, and what it fetched.
    bell: u16,
    fetched: u16,
    /// Its next completion.
    completion: u16,
    phase: bool,
    /// How far it may write: what the driver read.
    consumed: u16,
    /// Completions that the kernel saw.
    collected: (u16, bool),
    held: Vec<Held>,
}

/// A command that the device has, or had and has not completed yet.
struct Held {
    id: u16,
    bytes: Vec<Range<u64>>,
    /// What it will answer to Identify: about which namespace.
    answer: Option<u32>,
    done: bool,
}

struct World {
    layout: Layout,
    memory: Memory,
    contents: Contents,
    controller: Controller,
    pairs: [Pair; 2],
}

/// How a controller reads pointers (4.3): pieces of memory, and where lists lie.
fn walk(prp: [u64; 2], bytes: u64, list: &dyn Fn(u64) -> u64) -> Vec<(u64, u64)> {
    let room = PAGE - prp[0] % PAGE;
    let mut pieces = vec![(prp[0], bytes.min(room))];
    let mut rest = bytes.saturating_sub(room);
    if rest > 0 && rest <= PAGE {
        pieces.push((prp[1], rest));
        return pieces;
    }
    let mut at = prp[1];
    while rest > 0 {
        // The last pointer of a page names the next page of the list, when there are more.
        if at % PAGE == PAGE - 8 && rest > PAGE {
            at = list(at);
        }
        pieces.push((list(at), rest.min(PAGE)));
        rest = rest.saturating_sub(PAGE);
        at += 8;
    }
    pieces
}

/// What a command moves through its pointers, as a controller has it.
fn length(admin: bool, words: &[u64]) -> u64 {
    let (opcode, namespace_id) = (words[0] & 0xff, (words[0] >> 32) as u32);
    let dwords = (words[5] >> 16 & 0xffff) + ((words[5] >> 32 & 0xffff) << 16);
    match (admin, opcode) {
        (true, 0x02) => (dwords + 1) * 4,
        (true, 0x09 | 0x0a) => match words[5] & 0xff {
            0x03 | 0x0d => PAGE,
            0x0c => 256,
            0x0e => 8,
            _ => 0,
        },
        (false, 0x01 | 0x02 | 0x05) => {
            namespace(namespace_id).map_or(0, |(sector, ..)| ((words[6] & 0xffff) + 1) * sector)
        }
        (false, 0x09) => PAGE,
        _ => 0,
    }
}

impl Pair {
    fn new(id: u16, layout: Layout) -> Pair {
        let base = RINGS + u64::from(id) * RING_STEP;
        let commands = vec![Command::default(); layout.size().into()].into();
        Pair {
            id,
            layout,
            base,
            shadow: DriverMemory::new(layout.shadow_bytes()),
            real: Bytes::new(layout.bytes()),
            queue: Queue::new(id, layout, base, commands).expect("as many as the layout says"),
            tail: 0,
            next_id: 0,
            bell: 0,
            fetched: 0,
            completion: 0,
            phase: true,
            consumed: 0,
            collected: (0, true),
            held: Vec::new(),
        }
    }

    fn ring(&self) -> Ring {
        let completions = self.base + u64::from(self.layout.completions());
        Ring { size: self.layout.size(), base: self.base, completions, translated: false }
    }

    /// The driver writes a command.
    fn offer(&mut self, words: [u64; 8]) {
        let at = self.layout.command(self.tail);
        (0..).zip(words).for_each(|(n, word)| self.shadow.bytes.put(at + 8 * n, 8, word));
        self.tail = self.after(self.tail);
        self.shadow.bytes.put(self.layout.tail(), 2, self.tail.into());
    }

    fn after(&self, index: u16) -> u16 {
        (index + 1) % self.layout.size()
    }

    /// A list that the device follows lies where only the kernel writes.
    fn list_word(&self, address: u64) -> u64 {
        let lists =
            self.base + u64::from(self.layout.list(0))..self.base + u64::from(self.layout.completions());
        assert!(lists.contains(&address), "a list at {address:#x}");
        self.real.get((address - self.base) as u32, 8)
    }

    fn command(&self, memory: &Bytes, index: u16) -> Vec<u64> {
        (0..8).map(|n| memory.get(self.layout.command(index) + 8 * n, 8)).collect()
    }
}

impl World {
    fn new(layout: Layout) -> World {
        let mut controller = Controller::new(0x3ff | 1 << 37).expect("pages of 4096 bytes");
        let pairs = [Pair::new(0, layout), Pair::new(1, layout)];
        for pair in &pairs {
            controller.attach(&mut NoRegisters, pair.id, pair.ring()).expect("it is new");
        }
        World { layout, memory: Memory::new(8), contents: Contents::default(), controller, pairs }
    }

    /// The driver gets some buffers, and asks the device about some namespaces, as a decent one would.
    fn bring_up(&mut self) {
        [1, 2, 4].into_iter().for_each(|pages| self.memory.insert(pages));
        for id in 1..=3 {
            self.pairs[0].offer([6 | id << 32, 0, 0, 0, 0, 0, 0, 0]);
            self.publish(0, &mut Input(&[1, 1]));
            self.complete(0, &mut Input(&[0, 1]));
            self.collect(0);
            self.consume(0, &mut Input(&[1]));
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        let choice = input.byte();
        let which = usize::from(choice >> 7);
        match choice & 15 {
            0..=4 => self.offer(which, input),
            5 => self.poke(which, input),
            6 | 7 => self.publish(which, input),
            8 | 9 => self.complete(which, input),
            10 => self.collect(which),
            11 => self.memory.insert(1 + input.below(4) as u64),
            12 => self.memory.remove(input.below(8)),
            13 => self.consume(which, input),
            14 => self.lie(which, input),
            _ if choice & 0x70 == 0 => self.reset(),
            _ => self.memory.reclaim(),
        }
    }

    /// The driver writes a command, most of the time a sound one.
    fn offer(&mut self, which: usize, input: &mut Input<'_>) {
        let admin = which == 0;
        let opcodes: &[u64] = if admin {
            &[6, 6, 6, 2, 10, 9, 1, 5, 12, 8, 0, 4, 0x11, 0x7c, 0x80]
        } else {
            &[2, 2, 2, 2, 1, 1, 1, 5, 9, 0, 8, 0x19]
        };
        let opcode = opcodes[input.below(opcodes.len())];
        let odd = if input.byte() & 31 == 0 { input.word() } else { 0 };
        let prp1 = match input.byte() & 3 {
            0 => self.memory.token(input),
            1 => self.memory.page(input).wrapping_add(u64::from(input.byte()) * 16),
            _ => self.memory.page(input),
        };
        let prp2 = if input.byte() & 1 != 0 { self.offer_list(input) } else { self.memory.page(input) };
        let pair = &mut self.pairs[which];
        let id = if input.byte() & 15 == 0 { u16::from(input.byte()) } else { pair.next_id };
        pair.next_id = (id + 1) % pair.layout.size();
        let tenth = match (admin, opcode) {
            (true, 1 | 5) => 1 | u64::from(pair.layout.size() - 1) << 16,
            (true, 2) => input.word() & 0x7ff_0000,
            (true, 6) => input.below(5).saturating_sub(1) as u64,
            _ => input.below(16) as u64,
        };
        let eleventh = if (admin, opcode) == (true, 1) { 1 << 16 | 1 } else { 1 };
        let sectors = if input.byte() & 15 == 0 { input.word() } else { input.below(40) as u64 };
        let namespace = [1, 1, 1, 2, 2, 2, 1, 2, 3, 4, 5, 6][input.below(12)];
        let words = [
            opcode | u64::from(id) << 16 | namespace << 32 | odd & 0xffff,
            0,
            if odd & 7 == 7 { odd } else { 0 },
            prp1,
            prp2,
            tenth ^ (odd >> 16 & 0xffff_ffff) | eleventh << 32,
            sectors & 0xffff,
            0,
        ];
        pair.offer(words);
    }

    /// The driver writes a list into one of its buffers; gives its token.
    fn offer_list(&mut self, input: &mut Input<'_>) -> u64 {
        let token = match input.byte() & 7 {
            0 => self.memory.token(input),
            1 => self.memory.page(input).wrapping_add(PAGE - 8 * u64::from(input.byte() & 15)),
            _ => self.memory.page(input),
        };
        for n in 0..u64::from(input.byte() & 15) {
            let pointer = self.memory.page(input);
            if let Some(address) = token.checked_add(8 * n).and_then(|it| self.memory.address(it, 8)) {
                self.contents.words.borrow_mut().insert(address, pointer);
            }
        }
        token
    }

    /// The driver writes anything anywhere.
    fn poke(&mut self, which: usize, input: &mut Input<'_>) {
        let pair = &self.pairs[which];
        let at = (u32::from(input.byte()) * 8 + input.below(4) as u32 * 2) % (pair.layout.consumed() + 2);
        pair.shadow.bytes.put(at & !1, 2, input.word() & 0xffff);
    }

    fn publish(&mut self, which: usize, input: &mut Input<'_>) {
        let (limit, noise) = (u16::from(input.byte()), input.byte());
        let noise = if noise & 3 == 0 { u64::from(noise) << 32 | 1 } else { 0 };
        self.contents.slots = self.memory.pool.buffers().map(|it| (it.slot, it.addresses.start)).collect();
        self.contents.noise.set(noise);
        let pair = &mut self.pairs[which];
        pair.shadow.noise.set(noise);
        pair.shadow.fresh_call();
        let pool = &mut self.memory.pool;
        let outcome =
            pair.queue.publish(&pair.shadow, &pair.real, &self.contents, pool, &mut self.controller, limit);
        let published = outcome.unwrap_or_else(|refusal| refusal.before);
        let size = pair.layout.size();
        let end = (pair.bell + published.count) % size;
        assert_eq!(published.bell, (published.count > 0).then_some(end));
        pair.bell = end;
        self.contents.noise.set(0);
        self.fetch(which, noise != 0);
        if let (Err(refusal), 0) = (outcome, noise) {
            assert!(refusal.reason == Reason::Stopped || !self.is_sound(which, refusal.entry), "{refusal:?}");
        }
        if outcome.is_err_and(|it| it.reason == Reason::Stopped) {
            self.reset();
        }
    }

    /// Whether a command is beyond reproach: a flush, when the device has nothing else.
    fn is_sound(&self, which: usize, entry: u16) -> bool {
        let pair = &self.pairs[which];
        let size = u64::from(pair.layout.size());
        let words = pair.command(&pair.shadow.bytes, entry);
        let is_idle =
            which == 1 && pair.held.is_empty() && pair.shadow.bytes.get(pair.layout.tail(), 2) < size;
        is_idle && words[0] & 0xffff == 0 && words[2] == 0 && (words[0] >> 16 & 0xffff) < size
    }

    /// The device takes every new command. When the driver's memory was calm, it means what the driver wrote.
    fn fetch(&mut self, which: usize, restless: bool) {
        while self.pairs[which].fetched != self.pairs[which].bell {
            let pair = &self.pairs[which];
            let words = pair.command(&pair.real, pair.fetched);
            let held = self.execute(which, &words);
            if !restless {
                self.compare(which, &words);
            }
            let pair = &mut self.pairs[which];
            assert!(pair.held.iter().all(|it| it.id != held.id), "it has a command of that number");
            assert!(pair.held.len() < pair.layout.size().into(), "more than there are numbers");
            pair.held.push(held);
            pair.fetched = pair.after(pair.fetched);
        }
    }

    /// What the device does for a command.
    fn execute(&self, which: usize, words: &[u64]) -> Held {
        let (pair, opcode) = (&self.pairs[which], words[0] & 0xff);
        assert_eq!((words[0] & 0xff00, words[2]), (0, 0), "fused, with other lists, or metadata");
        let mut held = Held { id: (words[0] >> 16) as u16, bytes: Vec::new(), answer: None, done: false };
        match (which, opcode) {
            (0, 0x01 | 0x05) => {
                let id = words[5] & 0xffff;
                let made =
                    self.pairs.get(id as usize).filter(|_| id > 0).expect("a queue that is attached").ring();
                let base = if opcode == 1 { made.base } else { made.completions };
                assert_eq!((words[3], words[5] >> 16 & 0xffff), (base, u64::from(made.size) - 1));
                assert_eq!(words[5] >> 32 & 1, 1, "one piece");
                assert!(opcode == 5 || words[5] >> 48 == id, "completions go to its own queue");
            }
            (0, 0x06) => {
                let answers = pair.base + u64::from(pair.layout.answers());
                assert_eq!((words[3], words[4]), (answers, 0));
                assert!(pair.held.iter().all(|it| it.done || it.answer.is_none()), "one answer at a time");
                held.answer = Some(if words[5] & 0xff == 0 { (words[0] >> 32) as u32 } else { 0 });
            }
            (0, 0x02 | 0x08 | 0x09 | 0x0a | 0x0c) | (1, 0x00 | 0x01 | 0x02 | 0x05 | 0x08 | 0x09) => {
                let bytes = length(which == 0, words);
                assert!(
                    which == 1 || opcode != 0x09 && opcode != 0x0a || words[5] & 0xff != 0x0d,
                    "a host memory buffer"
                );
                if bytes > 0 {
                    let pieces = walk([words[3], words[4]], bytes, &|at| pair.list_word(at));
                    held.bytes = pieces.into_iter().map(|(at, length)| at..at + length).collect();
                } else if namespace((words[0] >> 32) as u32).is_some() || which == 0 {
                    assert_eq!((words[3], words[4]), (0, 0), "no pointers where there is no data");
                }
            }
            _ => panic!("command {opcode:#x} is not a driver's"),
        }
        held
    }

    /// The same pieces as the driver's pointers name.
    fn compare(&self, which: usize, words: &[u64]) {
        let pair = &self.pairs[which];
        let bytes = length(which == 0, words);
        if bytes == 0 {
            return;
        }
        let own = pair.command(&pair.shadow.bytes, pair.fetched);
        let read = |token: u64| {
            let address = self.memory.address(token, 8).expect("the driver's list lies in its buffer");
            self.contents.words.borrow().get(&address).copied().unwrap_or(0)
        };
        let wanted = walk([own[3], own[4]], bytes, &read).into_iter();
        let wanted: Vec<_> = wanted.map(|(token, length)| self.memory.address(token, length)).collect();
        let given = walk([words[3], words[4]], bytes, &|at| pair.list_word(at));
        assert_eq!(given.iter().map(|(at, _)| Some(*at)).collect::<Vec<_>>(), wanted);
        let same = |n: usize| own[n] == words[n];
        assert!([0, 1, 2, 5, 6, 7].into_iter().all(same), "nothing but pointers changes");
    }

    /// The device completes a command, in any order, unless nobody has read completions.
    fn complete(&mut self, which: usize, input: &mut Input<'_>) {
        let pair = &mut self.pairs[which];
        if pair.after(pair.completion) == pair.consumed {
            return;
        }
        let mut busy: Vec<_> = pair.held.iter_mut().filter(|it| !it.done).collect();
        let Some(n) = input.below(8).checked_rem(busy.len()) else { return };
        let failed = input.byte() & 7 == 0;
        busy[n].done = true;
        let (id, answer) = (busy[n].id, busy[n].answer);
        if let Some(about) = answer.filter(|_| !failed) {
            let (_, formatted, formats) = namespace(about).unwrap_or((0, 0, [0, 0]));
            let at = pair.layout.answers();
            pair.real.put(at + 26, 2, formatted.into());
            (0..).zip(formats).for_each(|(n, format)| pair.real.put(at + 128 + 4 * n, 4, format.into()));
        }
        let at = pair.layout.completion(pair.completion);
        pair.real.put(at + 8, 4, u64::from(pair.fetched) | u64::from(pair.id) << 16);
        let status = u64::from(failed) << 17;
        pair.real.put(at + 12, 4, u64::from(id) | u64::from(pair.phase) << 16 | status);
        pair.completion = pair.after(pair.completion);
        pair.phase ^= pair.completion == 0;
    }

    /// The kernel believes the device as long as that makes sense. What it says that it completed, it does not touch any more.
    fn collect(&mut self, which: usize) {
        let pair = &mut self.pairs[which];
        let mut sound = true;
        let mut count = 0;
        loop {
            let at = pair.layout.completion(pair.collected.0);
            let (place, last) = (pair.real.get(at + 8, 4), pair.real.get(at + 12, 4));
            if (last >> 16 & 1 != 0) != pair.collected.1 {
                break;
            }
            let known = pair.held.iter().position(|it| u64::from(it.id) == last & 0xffff);
            // A head that is not where it fetched would be believed if it could be.
            let Some(n) = known.filter(|_| place == u64::from(pair.fetched) | u64::from(pair.id) << 16)
            else {
                sound = false;
                break;
            };
            if pair.after(pair.collected.0) == pair.consumed {
                sound = false;
                break;
            }
            pair.held.swap_remove(n);
            pair.collected.0 = pair.after(pair.collected.0);
            pair.collected.1 ^= pair.collected.0 == 0;
            count += 1;
        }
        let outcome = pair.queue.collect(&pair.real, &mut self.memory.pool, &mut self.controller);
        if sound {
            assert_eq!(outcome, Ok(count));
            self.memory.reclaim();
            self.check();
        } else {
            self.reset();
        }
    }

    /// The driver says how far it read, and the kernel passes on what can be.
    fn consume(&mut self, which: usize, input: &mut Input<'_>) {
        let pair = &mut self.pairs[which];
        let (size, at) = (pair.layout.size(), pair.layout.consumed());
        let wrong = input.byte() & 15 == 0;
        let index = if wrong { u16::from(input.byte()) } else { pair.collected.0 };
        pair.shadow.bytes.put(at, 2, index.into());
        pair.shadow.noise.set(0);
        pair.shadow.fresh_call();
        let distance = |to: u16| (to + size - pair.consumed) % size;
        let possible = index < size && distance(index) <= distance(pair.collected.0);
        match pair.queue.consumed(&pair.shadow) {
            Ok(bell) => {
                assert!(possible);
                assert_eq!(bell, (index != pair.consumed).then_some(index));
                pair.consumed = index;
            }
            Err(reason) => assert!(reason == Reason::Consumed(index) && !possible),
        }
    }

    /// The device writes nonsense to where completions are.
    fn lie(&mut self, which: usize, input: &mut Input<'_>) {
        let pair = &mut self.pairs[which];
        let at = pair.layout.completion(input.byte().into()) + 8 + 4 * (input.byte() & 1) as u32;
        pair.real.put(at, 4, input.word() & 0xffff_ffff);
    }

    /// The device is reset, and begins with empty rings.
    fn reset(&mut self) {
        self.pairs.iter_mut().for_each(|pair| pair.queue.abandon(&mut self.memory.pool));
        self.memory.reclaim();
        assert!(self.memory.dying.is_empty(), "after a reset the device has nothing");
        assert!(self.memory.pool.buffers().all(|it| it.pins == 0));
        let memory = core::mem::replace(&mut self.memory, Memory::new(8));
        let contents = core::mem::take(&mut self.contents);
        *self = World { memory, contents, ..World::new(self.layout) };
        self.bring_up();
    }

    /// All that the device may touch at this moment is a buffer that lives, or is kept for it.
    fn check(&self) {
        let busy = self.pairs.iter().flat_map(|pair| &pair.held).filter(|it| !it.done);
        busy.flat_map(|it| &it.bytes).for_each(|bytes| self.memory.check(bytes));
        self.memory.check_pins(self.pairs.iter().flat_map(|pair| &pair.held).map(|it| it.bytes.len()).sum());
    }
}
