//! The ports that the manifest's checks refuse are those that the kernel keeps, interrupts end where the kernel's do, and it knows the same classes of
//! devices: all of this is said twice, since the manifest must not depend on the kernel.

use std::collections::BTreeSet;

use capos_manifest::{POLICIES, RESERVED_PORTS, VECTORS};

const KERNEL: &str = include_str!("../../../kernel/hal/src/pure/ports.rs");

/// All `(0x.., 0x..)` of the two constants.
fn of_kernel() -> BTreeSet<(u16, u16)> {
    let code = KERNEL.split("/// Whether two ranges").next().unwrap();
    let hex = |text: &str| u16::from_str_radix(text.trim().strip_prefix("0x")?, 16).ok();
    let pairs = code.split('(').filter_map(|rest| rest.split_once(')')?.0.split_once(','));
    pairs.filter_map(|(first, last)| Some((hex(first)?, hex(last)?))).collect()
}

#[test]
fn manifest_and_kernel_reserve_the_same_ports() {
    let kernel = of_kernel();
    assert!(kernel.contains(&(0x0cf8, 0x0cff)) && kernel.len() == 11, "{kernel:x?}");
    assert_eq!(RESERVED_PORTS.into_iter().collect::<BTreeSet<_>>(), kernel);
}

#[test]
fn manifest_and_kernel_have_as_many_interrupts() {
    let types = include_str!("../../../kernel/hal/src/types.rs");
    assert!(types.contains(&format!("pub const IRQ_PLACES: usize = {VECTORS};")));
}

#[test]
fn manifest_and_kernel_know_the_same_classes_of_devices() {
    let code = include_str!("../../../kernel/core/src/device/class.rs");
    let arms = code.split("match policy {").nth(1).unwrap().split("_ =>").next().unwrap();
    let kernel: BTreeSet<&str> = arms.split('"').skip(1).step_by(2).collect();
    assert_eq!(kernel, POLICIES.iter().copied().collect());
}
