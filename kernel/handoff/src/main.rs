//! The loader itself: what must touch the machine. Built for `x86_64-unknown-none`; elsewhere it only says so.
#![cfg_attr(target_os = "none", no_std, no_main)]

#[cfg(target_os = "none")]
mod machine;

#[cfg(not(target_os = "none"))]
fn main() {
    println!("handoff is a boot loader: build it with --target x86_64-unknown-none");
}
