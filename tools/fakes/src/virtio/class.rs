//! What is in a virtio device.

use capos_mutate::Rng;

use super::Chain;
use crate::Bus;

/// A kind of device.
pub trait Class {
    /// Features of its own.
    fn features(&self) -> u64;
    /// The largest size of each queue.
    fn queues(&self) -> &[u16];
    /// Its configuration; a reader may change it.
    fn config(&mut self) -> Vec<u8>;
    /// The driver has it at work, with these features; what it had before is gone.
    fn begin(&mut self, _features: u64) {}
    /// Does what a chain of a queue asks for, and says how many bytes it wrote; nothing, when it keeps the chain.
    fn serve(&mut self, queue: usize, chain: &Chain, bus: &Bus) -> Option<u32>;
    /// Chains of a queue that it kept and is through with now, and how many bytes it wrote.
    fn through(&mut self, _queue: usize, _bus: &Bus) -> Vec<(Chain, u32)> {
        Vec::new()
    }
}

/// The entropy device (5.4).
#[derive(Debug)]
pub struct Entropy {
    rng: Rng,
    /// At most so many bytes at once.
    pub most: u32,
}

impl Entropy {
    /// What it gives is told by the seed.
    pub fn new(seed: u64) -> Entropy {
        Entropy { rng: Rng::new(seed), most: u32::MAX }
    }

    /// The next bytes that it gives.
    pub fn bytes(&mut self, length: u32) -> Vec<u8> {
        (0..length).map(|_| self.rng.draw() as u8).collect()
    }
}

impl Class for Entropy {
    fn features(&self) -> u64 {
        0
    }
    fn queues(&self) -> &[u16] {
        &[8]
    }
    fn config(&mut self) -> Vec<u8> {
        Vec::new()
    }
    fn serve(&mut self, _: usize, chain: &Chain, bus: &Bus) -> Option<u32> {
        let length = chain.writable().min(self.most);
        Some(chain.write(bus, &self.bytes(length)))
    }
}

/// A device of no class, which writes back what it reads; its configuration is 16 bytes.
#[derive(Debug)]
pub struct Echo {
    /// Sizes of its queues.
    pub queues: Vec<u16>,
    /// Its configuration.
    pub config: [u8; 16],
    /// So many more readings of it each change it: all bytes move on by one.
    pub unrest: u32,
}

impl Echo {
    /// With queues of these sizes.
    pub fn new(queues: &[u16]) -> Echo {
        Echo { queues: queues.to_vec(), config: [7; 16], unrest: 0 }
    }
}

impl Class for Echo {
    fn features(&self) -> u64 {
        1 << 29 | 1 << 5
    }
    fn queues(&self) -> &[u16] {
        &self.queues
    }
    fn config(&mut self) -> Vec<u8> {
        if self.unrest > 0 {
            self.unrest -= 1;
            self.config = self.config.map(|byte| byte.wrapping_add(1));
        }
        self.config.to_vec()
    }
    fn serve(&mut self, _: usize, chain: &Chain, bus: &Bus) -> Option<u32> {
        let bytes = chain.read(bus).unwrap_or_default();
        Some(chain.write(bus, &bytes))
    }
}
