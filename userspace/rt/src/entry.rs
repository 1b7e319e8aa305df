//! From the kernel's first jump to the program's `run`, and from its result to the exit.

/// Names the program's entry: a `fn(rt::Env) -> i64` whose result is the exit code.
///
/// On capOS this exports the symbol that the runtime calls; on the host, where programs are only checked, it is an empty `main`.
#[macro_export]
macro_rules! main {
    ($run:path) => {
        #[cfg(capos)]
        #[unsafe(no_mangle)]
        fn capos_main(env: $crate::Env) -> i64 {
            $run(env)
        }

        #[cfg(not(capos))]
        fn main() {
            let _: fn($crate::Env) -> i64 = $run;
        }
    };
}

#[cfg(capos)]
mod on_capos {
    use crate::arena;
    use crate::emergency;
    use crate::env::Env;
    use crate::log;
    use crate::sys;
    use crate::thread::Thread;
    use capos_abi::RingShape;
    use core::cell::UnsafeCell;
    use core::mem::MaybeUninit;
    use core::ptr::NonNull;

    /// Where the first thread's things lie. Not on the heap: a program that needs no heap gets none.
    struct First(UnsafeCell<MaybeUninit<Thread>>);

    // SAFETY: touched once, by `_start`, before a second thread can exist; afterwards only through the FS base of its thread.
    unsafe impl Sync for First {}

    static FIRST: First = First(UnsafeCell::new(MaybeUninit::uninit()));

    unsafe extern "Rust" {
        fn capos_main(env: Env) -> i64;
    }

    /// The first instruction: the kernel passes the ring block and the length of the startup block (contract of
    /// `capos_abi::startup`), with the stack aligned as for a C call.
    #[unsafe(no_mangle)]
    extern "C" fn _start(block: NonNull<u8>, startup_len: usize) -> ! {
        // SAFETY: `_start` runs once, so this is the only reference to the place.
        let place = unsafe { &mut *FIRST.0.get() };
        // SAFETY: the kernel mapped the block for this thread, with the default shape.
        let thread = place.write(unsafe { Thread::new(block, RingShape::DEFAULT, startup_len) });
        let base = thread.settle();
        emergency::set_fs_base(thread, base);
        // SAFETY: the startup block at the beginning of the arena was excluded from the arena map, so nobody ever writes it.
        let startup = unsafe { arena::bytes(thread, 0, startup_len) };
        let env = Env::new(startup);
        log::find_sink(&env);
        // SAFETY: `main!` defines it with this signature; without `main!` the program does not link.
        let code = unsafe { capos_main(env) };
        // Answers that were given last are given, even if nothing was waited for since.
        thread.hand_over();
        sys::exit(code)
    }

    /// Named by the precompiled core library for unwinding, which our programs never do. The linker gives `_Unwind_Resume` the same
    /// address.
    #[unsafe(no_mangle)]
    extern "C" fn rust_eh_personality() {}
}
