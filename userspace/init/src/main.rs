//! The first process as a program. All of it is in the library, which is compiled while the runtime still is.
#![cfg_attr(capos, no_std, no_main)]

rt::main!(init::run);
