//! A device that writes what it likes where it may, and the core between it and a client that counts.
//!
//! Of what the core asks, the device does what the input says: most of it well, or the input would end at the first answer. The core must come
//! to rest, give back each request once and no other, write only where it may, and stay with a fault.

use capos_block::{Operation, Request};
use capos_nvme::{BringUp, Controller, DeviceFault, Layout, Places, Refusal, Step, Wish};

use super::Disk;
use super::machine::PairMemory;
use crate::Ram;

/// Where the driver's data is, for the device.
const DATA: u64 = 0x10_0000;
const DATA_BYTES: u64 = 0x40_0000;

/// Where own buffers are; queue n has the n-th.
const OWN: u64 = 0x1000_0000;
const OWN_STEP: u64 = 0x10_0000;

/// Steps that no device makes the core take: looks grow apart, and there are ten seconds for each of some fifty answers.
const STEPS: u32 = 200_000;

/// What the input says, byte by byte; zeros when it ended.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    /// Now and then.
    fn sometimes(&mut self, of: u8) -> bool {
        !self.0.is_empty() && self.byte() % of == of - 1
    }
}

/// A queue as the device sees it.
struct Queue {
    layout: Layout,
    shadow: u64,
    real: u64,
    own: u64,
    head: u16,
    next: u16,
    phase: bool,
    held: Vec<u16>,
}

struct Liar {
    ram: Ram,
    queues: Vec<Queue>,
    status: u64,
}

/// Plays what the input says; gives how many requests ended, if the device came up.
pub fn play(bytes: &[u8]) -> Option<u32> {
    let mut input = Input(bytes);
    let wish = Wish {
        queues: 1 + u16::from(input.byte() & 1),
        entries: 2 << (input.byte() & 3),
        vectors: u16::from(input.byte() & 3),
    };
    let lies = input.byte();
    let mut liar = Liar { ram: Ram::new(room(wish)), queues: Vec::new(), status: 0 };
    let controller = liar.bring_up(wish, lies, &mut input).ok()?;
    let mut client = Client { controller, out: [false; 32], ended: 0, now: 0, fault: None };
    client.play(&mut liar, &mut input);
    Some(client.ended)
}

/// Bytes that all queues lie in: most of what an input costs is to have them zero.
fn room(wish: Wish) -> usize {
    let one = |entries: u16| {
        let layout = Layout::new(entries).expect("a power of two");
        let own = capos_nvme::own_bytes(entries);
        (layout.shadow_bytes() + layout.bytes() + own.next_multiple_of(4096)) as usize
    };
    4096 + one(8) + usize::from(wish.queues) * one(wish.entries)
}

impl Liar {
    /// Up to a fault or a controller; one of `lies` answers is the input's.
    fn bring_up(
        &mut self,
        wish: Wish,
        lies: u8,
        input: &mut Input<'_>,
    ) -> Result<Controller<PairMemory>, DeviceFault> {
        let mut bring_up = BringUp::new(wish).expect("there are such queues");
        let mut now = 0;
        let lies = lies.max(2);
        for _ in 0..STEPS {
            match bring_up.step(now) {
                Step::Read(register) => {
                    let honest = if register.offset == 0 { 0x3ff | 1 << 24 | 1 << 37 } else { self.status };
                    bring_up.value(if input.sometimes(lies) { input.word() } else { honest });
                }
                Step::Write(..) => self.status = 1,
                Step::Attach { queue, layout } => {
                    assert_eq!(usize::from(queue), self.queues.len());
                    let memory = self.attach(layout);
                    let own = OWN + OWN_STEP * u64::from(queue);
                    bring_up.attached(memory, layout, Places { queue: 0, own }).expect("memory");
                }
                Step::Tell(bells) => {
                    self.fetch(0, bells.tail.expect("a command"));
                    if !input.sometimes(lies) {
                        self.answer(lies, input);
                    }
                }
                Step::Pause { until } => {
                    assert!(until > now, "a pause that is none");
                    now = until;
                }
                Step::Ready => return Ok(bring_up.finish(now).expect("it is ready")),
                Step::Failed(fault) => return Err(fault),
            }
        }
        panic!("it never rests");
    }

    fn attach(&mut self, layout: Layout) -> PairMemory {
        let place = |bytes| self.ram.allocate(bytes).expect("queues are small");
        let (shadow, real) = (place(layout.shadow_bytes()), place(layout.bytes()));
        let own = place(capos_nvme::own_bytes(layout.size()));
        self.queues.push(Queue {
            layout,
            shadow,
            real,
            own,
            head: 0,
            next: 0,
            phase: true,
            held: Vec::new(),
        });
        PairMemory::new(&self.ram, layout, [shadow, real, own])
    }

    fn word(&self, at: u64) -> u64 {
        self.ram.word(at).expect("it is in memory")
    }

    fn put(&self, at: u64, value: u64) {
        assert!(self.ram.write(at, &value.to_le_bytes()));
    }

    /// Takes the commands up to there, and looks at where they point.
    fn fetch(&mut self, number: usize, tail: u16) {
        while self.queues[number].head != tail {
            let queue = &self.queues[number];
            let at = queue.shadow + u64::from(queue.layout.command(queue.head));
            let words = [0, 8, 16, 24, 32, 40, 48, 56].map(|offset| self.word(at + offset));
            let id = (words[0] >> 16) as u16;
            assert!(id < queue.layout.size() && words[1..3] == [0, 0] && words[7] == 0);
            self.judge(number, &words);
            let queue = &mut self.queues[number];
            queue.head = (queue.head + 1) % queue.layout.size();
            queue.held.push(id);
        }
    }

    /// A command points into the data, or to where its queue's own buffer is.
    fn judge(&self, number: usize, words: &[u64; 8]) {
        let own = OWN + OWN_STEP * number as u64;
        let queue = &self.queues[number];
        let own_bytes = u64::from(capos_nvme::own_bytes(queue.layout.size()));
        let is_own = |at: u64| at >= own && at < own + own_bytes;
        let is_data = |at: u64| (DATA..DATA + DATA_BYTES).contains(&at);
        let is_moving = number > 0 && matches!(words[0] & 0xff, 1 | 2);
        if !is_moving {
            assert!(words[3..5].iter().all(|at| *at == 0 || is_own(*at)), "{words:x?}");
            return;
        }
        assert!(is_data(words[3]) && (words[4] == 0 || is_data(words[4]) || is_own(words[4])));
        if is_own(words[4]) {
            assert_eq!(words[4] - own, 1024 * (words[0] >> 16 & 0xffff), "everyone has a list");
            let first = self.word(queue.own + (words[4] - own));
            assert!(first.is_multiple_of(4096) && is_data(first));
        }
    }

    /// Completes a command of a queue: the one that the input says, or anything.
    fn complete(&mut self, number: usize, result: u32, lies: u8, input: &mut Input<'_>) {
        let queue = &mut self.queues[number];
        if queue.held.is_empty() {
            return;
        }
        let at = usize::from(input.byte()) % queue.held.len();
        let id = queue.held.swap_remove(at);
        let status = if input.sometimes(8) { input.word() & 0x7fff } else { 0 };
        let place = u64::from(queue.head) | (number as u64) << 16;
        let mut word = place | u64::from(id) << 32 | u64::from(queue.phase) << 48 | status << 49;
        if input.sometimes(lies) {
            word ^= 1u64 << (input.byte() & 63);
        }
        let entry = queue.real + u64::from(queue.layout.completion(queue.next));
        queue.next = (queue.next + 1) % queue.layout.size();
        queue.phase ^= queue.next == 0;
        self.put(entry, result.into());
        self.put(entry + 8, word);
    }

    /// Answers what queue 0 was asked while everything is set up: as the model does, with some bytes changed.
    fn answer(&mut self, lies: u8, input: &mut Input<'_>) {
        let queue = &self.queues[0];
        let last = (queue.head + queue.layout.size() - 1) % queue.layout.size();
        let at = queue.shadow + u64::from(queue.layout.command(last));
        let (opcode, tenth) = (self.word(at) as u8, self.word(at + 40) as u32);
        let id = (self.word(at) >> 32) as u32;
        let disk = Disk::new(id, if id == 2 { 12 } else { 9 }, 1);
        if opcode == 6 {
            let mut page = match tenth {
                0 => disk.identify(),
                1 => {
                    let mut page = vec![0; 4096];
                    (page[77], page[258], page[512], page[513]) = (9, 3, 0x66, 0x44);
                    page[80..84].copy_from_slice(&0x0001_0400u32.to_le_bytes());
                    (page[520], page[525]) = (0x0c, 1);
                    page
                }
                2 => [1u32, 2].into_iter().flat_map(u32::to_le_bytes).chain([0; 4088]).collect(),
                _ => disk.descriptors(),
            };
            while input.sometimes(lies) {
                let at = usize::from(input.byte()) * if input.byte() & 1 == 0 { 1 } else { 4 };
                page[at] = input.byte();
            }
            let queue = &self.queues[0];
            assert!(self.ram.write(queue.real + u64::from(queue.layout.answers()), &page));
        }
        let result = if input.sometimes(lies) { input.word() as u32 } else { 0x3_0003 };
        self.complete(0, result, lies, input);
    }
}

/// Who asks, and counts.
struct Client {
    controller: Controller<PairMemory>,
    out: [bool; 32],
    ended: u32,
    now: u64,
    fault: Option<DeviceFault>,
}

impl Client {
    fn play(&mut self, liar: &mut Liar, input: &mut Input<'_>) {
        while !input.0.is_empty() {
            self.now += u64::from(input.byte()) << 24;
            match input.byte() % 16 {
                0..=4 => self.submit(input),
                5..=7 => self.tell(liar),
                8..=10 => self.take(),
                11..=13 => {
                    let number = usize::from(input.byte()) % liar.queues.len();
                    let result = if number == 0 { input.word() as u32 } else { 0 };
                    liar.complete(number, result, 32, input);
                }
                14 => self.look(input),
                _ if input.byte() & 3 > 0 => {}
                _ => self.meddle(liar, input),
            }
            let out = self.out.iter().filter(|out| **out).count();
            assert!(self.controller.in_flight() >= out);
            assert!(self.fault.is_none() || !self.controller.may_sleep());
        }
    }

    fn submit(&mut self, input: &mut Input<'_>) {
        let tag = input.byte() & 31;
        let operation = Operation::ALL[usize::from(input.byte()) % 5];
        let sectors = match input.byte() {
            0 => input.word() as u32,
            few => 1 + u32::from(few),
        };
        let offset = u32::from(input.byte()) * 512;
        let durable = input.byte() & 1 != 0;
        let request =
            Request { id: 0, operation, durable, buffer: 0, offset, first: input.byte().into(), sectors };
        let disk = u16::from(input.byte() & 3);
        if self.out[usize::from(tag)] {
            return;
        }
        let place = DATA + u64::from(offset);
        match self.controller.submit(disk, tag.into(), &request, place, self.now) {
            Ok(()) => self.out[usize::from(tag)] = true,
            Err(Refusal::Busy) => assert!(self.controller.in_flight() > 0),
            Err(Refusal::Over(_)) => {}
        }
    }

    fn tell(&mut self, liar: &mut Liar) {
        let told: Result<(), ()> = self.controller.tell(|queue, bells| {
            bells.tail.into_iter().for_each(|tail| liar.fetch(queue.into(), tail));
            Ok(())
        });
        assert_eq!(told, Ok(()));
    }

    fn take(&mut self) {
        // More than there can be at a time, unless one is taken for ever.
        for _ in 0..1000 {
            match self.controller.take(self.now) {
                Ok(Some(finished)) => {
                    let out = &mut self.out[usize::from(finished.tag)];
                    assert!(std::mem::take(out), "nobody asked for {finished:?}");
                    assert!(self.fault.is_none());
                    self.ended += 1;
                }
                Ok(None) => return assert!(self.fault.is_none()),
                Err(fault) => return self.stays(fault),
            }
        }
        panic!("it takes for ever");
    }

    fn look(&mut self, input: &mut Input<'_>) {
        let status = if input.sometimes(16) { input.word() } else { 1 };
        if let Err(fault) = self.controller.on_timeout(status, self.now) {
            self.stays(fault);
        }
        if input.byte() & 1 != 0 {
            self.controller.ask_health(self.now);
        }
        for _ in 0..1000 {
            match self.controller.event(self.now) {
                Ok(Some(event)) => drop(format!("{event:?}")),
                Ok(None) => return,
                Err(fault) => return self.stays(fault),
            }
        }
        panic!("it tells for ever");
    }

    fn stays(&mut self, fault: DeviceFault) {
        assert_eq!(*self.fault.get_or_insert(fault), fault, "until the next reset");
    }

    /// The device writes anything where it may.
    fn meddle(&mut self, liar: &Liar, input: &mut Input<'_>) {
        let queue = &liar.queues[usize::from(input.byte()) % liar.queues.len()];
        let at = queue.real + u64::from(queue.layout.completion(u16::from(input.byte())));
        let value = match input.byte() & 3 {
            0 => input.word(),
            // Something that is almost right.
            kind => {
                let id = u64::from(input.byte() & 15);
                let place = u64::from(queue.head) | u64::from(kind & 1) << 16;
                place | id << 32 | u64::from(kind & 1 != u8::from(queue.phase)) << 48
            }
        };
        liar.put(at + 8, value);
    }
}
