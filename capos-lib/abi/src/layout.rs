//! Where things are in a process's address space. Userspace links at [`IMAGE_BASE`] and learns the rest from the kernel.

/// Lowest address a user mapping may have; everything below faults, null pointers included.
pub const USER_MIN: u64 = 0x1_0000;
/// Where static programs are linked.
pub const IMAGE_BASE: u64 = 0x40_0000;
/// One past the highest address of an ELF segment.
pub const IMAGE_MAX: u64 = 0x1_0000_0000;
/// Where `VirtualMemory.reserve` and `map` place regions.
pub const DYNAMIC_BASE: u64 = 0x10_0000_0000;
/// One past the highest address that `reserve` and `map` use.
pub const DYNAMIC_MAX: u64 = 0x7e00_0000_0000;
/// The first thread's stack ends here; a guard page lies below it.
pub const STACK_TOP: u64 = 0x7eff_ffff_0000;
/// Pages of the first thread's stack.
pub const STACK_PAGES: usize = 16;
/// Ring blocks lie from here on, [`RING_STRIDE`] apart, with unmapped space between.
pub const RING_BASE: u64 = 0x7f00_0000_0000;
/// Distance of two ring blocks: the largest block (1 header, 16 + 32 queue, 256 arena pages) and a guard fit.
pub const RING_STRIDE: u64 = 0x20_0000;
/// One past the highest user address: 47 bits, also on machines with five-level paging.
pub const USER_MAX: u64 = 0x7fff_ffff_f000;

#[cfg(test)]
mod tests {
    use super::{
        DYNAMIC_BASE, DYNAMIC_MAX, IMAGE_BASE, IMAGE_MAX, RING_BASE, RING_STRIDE, STACK_TOP, USER_MAX,
        USER_MIN,
    };
    use crate::PAGE_SIZE;

    #[test]
    fn the_areas_of_an_address_space_follow_each_other() {
        let edges = [
            0,
            USER_MIN,
            IMAGE_BASE,
            IMAGE_MAX,
            DYNAMIC_BASE,
            DYNAMIC_MAX,
            STACK_TOP,
            RING_BASE,
            USER_MAX,
            1 << 47,
        ];
        assert!(edges.is_sorted_by(|low, high| low < high));
    }

    #[test]
    fn every_edge_is_a_page_boundary() {
        let edges = [
            USER_MIN,
            IMAGE_BASE,
            IMAGE_MAX,
            DYNAMIC_BASE,
            DYNAMIC_MAX,
            STACK_TOP,
            RING_BASE,
            RING_STRIDE,
            USER_MAX,
        ];
        assert!(edges.iter().all(|edge| edge.is_multiple_of(PAGE_SIZE as u64)));
    }
}
