//! A ring block whose owner writes whatever it likes, wherever it likes, while the kernel works on it.
//!
//! Input: operations. The kernel's side keeps its own indices, as the kernel does, and must never be led outside of the block, take
//! more entries than there are, or overwrite a completion that was not taken.
#![no_main]

use capos_abi::ring::{CQE_SIZE, SQE_SIZE, header};
use capos_abi::{Cqe, Op, RingShape};
use capos_mem::RESOURCES;
use capos_ring::KernelRing;
use kernel_hal::account::Account;
use kernel_hal::ring::RingBlock;
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

const SHAPE: RingShape = RingShape { sq_entries: 8, cq_entries: 16, arena_pages: 1 };

/// The kernel's own knowledge of a ring.
struct Kernel {
    block: RingBlock,
    sq_head: u32,
    cq_tail: u32,
}

fuzz_target!(|bytes: &[u8]| {
    // Ends when the input does.
    let _ = play(&mut Unstructured::new(bytes));
});

fn play(input: &mut Unstructured<'_>) -> Result<()> {
    let account = Account::root([1 << 20; RESOURCES]).expect("the host has memory");
    let mut rings = [(); 2].map(|()| Kernel {
        block: RingBlock::new(SHAPE, &account).expect("the host has memory"),
        sq_head: 0,
        cq_tail: 0,
    });
    // Free-running indices wrap around; start anywhere.
    for ring in &mut rings {
        let start = input.arbitrary()?;
        (ring.sq_head, ring.cq_tail) = (start, start);
        poke(ring, header::SQ_TAIL, &start.to_le_bytes());
        poke(ring, header::CQ_HEAD, &start.to_le_bytes());
    }
    while !input.is_empty() {
        let [left, right] = &mut rings;
        let (ring, other) = if input.arbitrary()? { (left, right) } else { (right, left) };
        match input.int_in_range(0..=6)? {
            0 => scribble(ring, input)?,
            1 => move_index(ring, input)?,
            2 => take(ring),
            3 => complete(ring, input)?,
            4 => arena(&ring.block, input)?,
            5 => copy(&ring.block, &other.block, input)?,
            _ => header_is_the_kernels_own(&ring.block, input)?,
        }
    }
    Ok(())
}

/// The owner writes to its own memory.
fn poke(ring: &Kernel, offset: usize, bytes: &[u8]) {
    ring.block.frames().write(offset, bytes).expect("inside the block");
}

fn peek(ring: &Kernel, offset: usize, out: &mut [u8]) {
    ring.block.frames().read(offset, out).expect("inside the block");
}

fn scribble(ring: &Kernel, input: &mut Unstructured<'_>) -> Result<()> {
    let bytes: [u8; 16] = input.arbitrary()?;
    let last = SHAPE.pages() * capos_abi::PAGE_SIZE - bytes.len();
    poke(ring, input.int_in_range(0..=last)?, &bytes);
    Ok(())
}

/// Moves an index near to where it should be, or far away.
fn move_index(ring: &Kernel, input: &mut Unstructured<'_>) -> Result<()> {
    let near: i8 = input.arbitrary()?;
    let (offset, base) =
        if input.arbitrary()? { (header::SQ_TAIL, ring.sq_head) } else { (header::CQ_HEAD, ring.cq_tail) };
    let value =
        if input.ratio(1, 8)? { input.arbitrary()? } else { base.wrapping_add_signed(i32::from(near)) };
    poke(ring, offset, &value.to_le_bytes());
    Ok(())
}

/// Takes everything that was submitted, as `cap_enter` does.
fn take(ring: &mut Kernel) {
    let mut tail = [0; 4];
    peek(ring, header::SQ_TAIL, &mut tail);
    let distance = u32::from_le_bytes(tail).wrapping_sub(ring.sq_head);
    match ring.block.sq_pending(ring.sq_head) {
        Err(fault) => {
            assert!(distance > SHAPE.sq_entries);
            ring.block.set_fault(fault.code());
        }
        Ok(pending) => {
            assert_eq!(pending, distance);
            lone(ring, pending);
            for n in 0..pending {
                let index = ring.sq_head.wrapping_add(n);
                let sqe = ring.block.read_sqe(index);
                let mut raw = [0; SQE_SIZE];
                peek(ring, SHAPE.sq_off() + (index % SHAPE.sq_entries) as usize * SQE_SIZE, &mut raw);
                assert_eq!(
                    (sqe.op, sqe.flags, sqe.method),
                    (raw[0], raw[1], u16::from_le_bytes([raw[2], raw[3]]))
                );
            }
            ring.sq_head = ring.sq_head.wrapping_add(pending);
            ring.block.publish_sq_head(ring.sq_head);
        }
    }
}

/// The shortest way reads what the long one reads, and only when it is alone.
fn lone(ring: &Kernel, pending: u32) {
    let lone = ring.block.lone(ring.sq_head);
    assert_eq!(lone.is_some(), pending == 1);
    let Some(kind) = lone else { return };
    let sqe = ring.block.read_sqe(ring.sq_head);
    assert_eq!(ring.block.queued(ring.sq_head).kind(), kind);
    let bare = (sqe.flags, sqe.caps_send, sqe.caps_recv, sqe.reserved0) == (0, 0, 0, 0);
    assert_eq!(kind.is(Op::Call), bare && sqe.op == Op::Call as u8);
}

/// Writes one completion if there is room; the neighbours stay as they are.
fn complete(ring: &mut Kernel, input: &mut Unstructured<'_>) -> Result<()> {
    let mut head = [0; 4];
    peek(ring, header::CQ_HEAD, &mut head);
    let waiting = ring.cq_tail.wrapping_sub(u32::from_le_bytes(head));
    match ring.block.cq_space(ring.cq_tail) {
        Err(fault) => {
            assert!(waiting > SHAPE.cq_entries);
            ring.block.set_fault(fault.code());
        }
        Ok(0) => assert_eq!(waiting, SHAPE.cq_entries),
        Ok(space) => {
            assert_eq!(space, SHAPE.cq_entries - waiting);
            let cqe = Cqe { user_data: input.arbitrary()?, result: input.arbitrary()?, ..Cqe::default() };
            let size = SHAPE.cq_entries as usize * CQE_SIZE;
            let (mut before, mut after) = (vec![0; size], vec![0; size]);
            peek(ring, SHAPE.cq_off(), &mut before);
            ring.block.write_cqe(ring.cq_tail, &cqe);
            peek(ring, SHAPE.cq_off(), &mut after);
            let slot = (ring.cq_tail % SHAPE.cq_entries) as usize;
            let changed = |n: &usize| before[n * CQE_SIZE..][..CQE_SIZE] != after[n * CQE_SIZE..][..CQE_SIZE];
            assert!((0..SHAPE.cq_entries as usize).filter(changed).all(|n| n == slot));
            assert_eq!(after[slot * CQE_SIZE..][..8], cqe.user_data.to_le_bytes());
            ring.cq_tail = ring.cq_tail.wrapping_add(1);
            ring.block.publish_cq_tail(ring.cq_tail);
        }
    }
    Ok(())
}

/// Any offset: near the end of the arena as a rule.
fn offset(ring: &KernelRing, input: &mut Unstructured<'_>) -> Result<u32> {
    let near: u8 = input.arbitrary()?;
    let end = ring.arena_len() as u32;
    Ok(match input.int_in_range(0..=3)? {
        0 => u32::from(near),
        1 => (end + 16).saturating_sub(u32::from(near)),
        2 => u32::MAX - u32::from(near),
        _ => input.arbitrary()?,
    })
}

fn arena(ring: &KernelRing, input: &mut Unstructured<'_>) -> Result<()> {
    let (off, len) = (offset(ring, input)?, input.int_in_range(0..=64)?);
    let fits = u64::from(off) + len as u64 <= ring.arena_len() as u64;
    let (sent, mut got) = (vec![0x5a; len], vec![0; len]);
    assert_eq!(ring.check_range(off, len as u32).is_ok(), fits);
    assert_eq!(ring.arena_write(off, &sent).is_ok(), fits);
    assert_eq!(ring.arena_read(off, &mut got).is_ok(), fits);
    assert!(!fits || sent == got);
    let word_fits = off.is_multiple_of(8) && u64::from(off) + 8 <= ring.arena_len() as u64;
    assert_eq!(ring.arena_store(off, 0x0123_4567_89ab_cdef).is_ok(), word_fits);
    assert_eq!(ring.arena_load(off).ok(), word_fits.then_some(0x0123_4567_89ab_cdef));
    Ok(())
}

fn copy(from: &KernelRing, to: &KernelRing, input: &mut Unstructured<'_>) -> Result<()> {
    let (source, target) = (offset(from, input)?, offset(to, input)?);
    let len = if input.ratio(1, 8)? { input.arbitrary()? } else { input.int_in_range(0..=64u32)? };
    let fits = |ring: &KernelRing, off: u32| u64::from(off) + u64::from(len) <= ring.arena_len() as u64;
    let both = fits(from, source) && fits(to, target);
    assert_eq!(KernelRing::arena_copy(from, source, to, target, len).is_ok(), both);
    if both {
        let (mut left, mut right) = (vec![0; len as usize], vec![0; len as usize]);
        from.arena_read(source, &mut left).expect("it fits");
        to.arena_read(target, &mut right).expect("it fits");
        assert_eq!(left, right);
    }
    Ok(())
}

/// Whatever the owner writes into the header, the shape stays the one that the kernel chose.
fn header_is_the_kernels_own(ring: &RingBlock, input: &mut Unstructured<'_>) -> Result<()> {
    for offset in
        [header::SQ_ENTRIES, header::CQ_ENTRIES, header::ARENA_LEN, header::SQ_HEAD, header::CQ_TAIL]
    {
        let value: u32 = input.arbitrary()?;
        ring.frames().write(offset, &value.to_le_bytes()).expect("inside the block");
    }
    assert_eq!((ring.shape(), ring.arena_len()), (SHAPE, SHAPE.arena_len()));
    Ok(())
}
