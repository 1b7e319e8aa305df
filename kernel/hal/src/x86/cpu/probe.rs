//! What the processor can do, asked once.
//!
//! Nothing is assumed: what is indispensable is refused with one clear line, everything else has a fallback
//! (Intel SDM vol. 2, CPUID; AMD APM vol. 3, appendix E).

use alloc::string::String;
use core::arch::x86_64::{__cpuid, __cpuid_count};
use core::fmt::Write;
use spin::Once;

/// Findings of CPUID that the kernel acts on.
#[derive(Clone, Copy)]
pub struct Features {
    pub no_execute: bool,
    pub syscall: bool,
    pub sse2: bool,
    pub tsc: bool,
    pub apic: bool,
    pub fxsr: bool,
    pub global_pages: bool,
    pub gigabyte_pages: bool,
    pub smep: bool,
    pub smap: bool,
    pub umip: bool,
    pub x2apic: bool,
    pub tsc_deadline: bool,
    pub invariant_tsc: bool,
    pub rdrand: bool,
    /// XSAVE with XSAVEOPT. The few processors with the first alone are treated as having neither: user threads go without AVX
    /// there. (QEMU 7.2 reports it for such models and then refuses CR4.OSXSAVE.)
    pub xsave: bool,
    /// State components of XCR0 that user threads get: x87, SSE, AVX, AVX-512, as far as there are.
    pub xsave_mask: u32,
    /// Width of physical addresses.
    pub physical_bits: u32,
    /// String instructions that move whole cache lines (ERMS).
    pub fast_strings: bool,
}

static FEATURES: Once<Features> = Once::new();
static TEXT: Once<String> = Once::new();

/// State components that the kernel saves and restores (Intel SDM vol. 1, 13.1).
const WANTED_STATE: u32 = 0b1110_0111;

fn bit(register: u32, n: u32) -> bool {
    register >> n & 1 == 1
}

fn probe() -> Features {
    let highest = __cpuid(0).eax;
    let highest_extended = __cpuid(0x8000_0000).eax;
    let basic = __cpuid(1);
    let seven = if highest >= 7 { __cpuid_count(7, 0).into() } else { Registers::NONE };
    let extended =
        if highest_extended >= 0x8000_0001 { __cpuid(0x8000_0001).into() } else { Registers::NONE };
    let power = if highest_extended >= 0x8000_0007 { __cpuid(0x8000_0007).into() } else { Registers::NONE };
    let xsave = bit(basic.ecx, 26) && highest >= 13 && bit(__cpuid_count(13, 1).eax, 0);
    let state = if xsave { __cpuid_count(13, 0) } else { basic };
    let xsave_mask = if xsave { state.eax & WANTED_STATE } else { 0 };
    Features {
        no_execute: bit(extended.edx, 20),
        syscall: bit(extended.edx, 11),
        sse2: bit(basic.edx, 26),
        tsc: bit(basic.edx, 4),
        apic: bit(basic.edx, 9),
        fxsr: bit(basic.edx, 24),
        global_pages: bit(basic.edx, 13),
        gigabyte_pages: bit(extended.edx, 26),
        smep: bit(seven.ebx, 7),
        smap: bit(seven.ebx, 20),
        umip: bit(seven.ecx, 2),
        x2apic: bit(basic.ecx, 21),
        tsc_deadline: bit(basic.ecx, 24),
        invariant_tsc: bit(power.edx, 8),
        rdrand: bit(basic.ecx, 30),
        xsave,
        xsave_mask,
        physical_bits: if highest_extended >= 0x8000_0008 { __cpuid(0x8000_0008).eax & 0xff } else { 36 },
        fast_strings: bit(seven.ebx, 9),
    }
}

struct Registers {
    ebx: u32,
    ecx: u32,
    edx: u32,
}

impl Registers {
    const NONE: Registers = Registers { ebx: 0, ecx: 0, edx: 0 };
}

impl From<core::arch::x86_64::CpuidResult> for Registers {
    fn from(result: core::arch::x86_64::CpuidResult) -> Self {
        Registers { ebx: result.ebx, ecx: result.ecx, edx: result.edx }
    }
}

impl Features {
    /// The first indispensable thing that is missing, in words.
    pub fn missing(&self) -> Option<&'static str> {
        [
            (self.no_execute, "no-execute pages (NX)"),
            (self.syscall, "SYSCALL"),
            (self.sse2 && self.fxsr, "SSE2"),
            (self.tsc, "a time stamp counter (TSC)"),
            (self.apic, "a local APIC"),
        ]
        .into_iter()
        .find_map(|(there, name)| (!there).then_some(name))
    }

    fn describe(&self) -> String {
        let mut text = String::new();
        let known = [
            ("nx", self.no_execute),
            ("smep", self.smep),
            ("smap", self.smap),
            ("umip", self.umip),
            ("pge", self.global_pages),
            ("xsave", self.xsave),
            ("x2apic", self.x2apic),
            ("tsc_deadline", self.tsc_deadline),
            ("invariant_tsc", self.invariant_tsc),
            ("rdrand", self.rdrand),
            ("gigabyte_pages", self.gigabyte_pages),
        ];
        for (n, (name, there)) in known.into_iter().enumerate() {
            let gap = if n == 0 { "" } else { " " };
            let state = if there { "on" } else { "absent" };
            // Writing to a string cannot fail.
            let _ = write!(text, "{gap}{name}={state}");
        }
        text
    }
}

/// The findings; asks the processor on the first call.
pub fn features() -> &'static Features {
    FEATURES.call_once(probe)
}

/// The findings in words. Needs the heap on the first call.
pub fn describe() -> &'static str {
    TEXT.call_once(|| features().describe())
}
