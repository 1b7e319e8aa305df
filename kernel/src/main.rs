//! The kernel image: wires the machine (`kernel-hal`) to the logic (`kernel-core`). On the host it is an empty program, so that
//! one `cargo clippy` covers the whole workspace.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
kernel_hal::entry!(kernel_core::start);

#[cfg(not(target_os = "none"))]
fn main() {}
