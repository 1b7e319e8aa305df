//! The other processors: started one after the other, and parked until the kernel writes where they shall go.
//!
//! The protocol's only signal is a write to memory, so a parked processor has to look. A loop that looks all the time takes the
//! machine's time away where processors are emulated (machine.md: four times slower), and MWAIT is no better there. So each sleeps in
//! HLT and lets its own APIC timer wake it to look; a fifth of a millisecond on QEMU, a few on a slow bus. Before it goes it drains
//! the timer's last interrupt and leaves its APIC as a reset would.

use core::arch::{asm, global_asm};
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use loader::boot::Span;
use loader::map::{Kind, Want};
use loader::paging::Access;
use loader::{PAGE, Refusal};

use super::apic::LocalApic;
use super::processor::Features;
use super::start::Loader;
use super::{faults, leap, memory, port};

/// Ticks of the APIC timer between two looks.
const LOOK_EVERY: u32 = 200_000;
/// How often the starter looks for a processor before it starts it again, and before it gives it up.
const PATIENCE_FIRST: u32 = 20_000;
const PATIENCE_LAST: u32 = 5_000_000;

const EFER_LME: u32 = 1 << 8;
const EFER_NXE: u32 = 1 << 11;

unsafe extern "C" {
    static trampoline_start: u8;
    static trampoline_end: u8;
    static trampoline_slots: u8;
    static trampoline_code32: u8;
    static trampoline_far32: u8;
}

/// What the trampoline reads, in the order of its assembly.
#[repr(C)]
struct Slots {
    root: u32,
    efer: u32,
    stack: u64,
    record: u64,
}

static ARRIVED: AtomicU32 = AtomicU32::new(0);
static X2APIC: AtomicBool = AtomicBool::new(false);

/// The page below 1 MiB where processors start in real mode.
pub struct Trampoline {
    at: u64,
}

impl Trampoline {
    /// Puts the code into low memory and maps it where it is: executable and not writable, like all code.
    pub fn install(loader: &mut Loader) -> Result<Self, Refusal> {
        let want = Want { from: PAGE, below: 0xa_0000, ..Want::pages(PAGE, Kind::Reclaimable) };
        let (at, page) = memory::allocate(&mut loader.boot.memory, want, "the trampoline below 1 MiB")?;
        let (start, end) = (&raw const trampoline_start, (&raw const trampoline_end).addr());
        // SAFETY: the two symbols bound the code in our image.
        let code = unsafe { core::slice::from_raw_parts(start, end - start.addr()) };
        page[..code.len()].copy_from_slice(code);
        let trampoline = Trampoline { at };
        let far = trampoline.place(&raw const trampoline_far32).cast::<u32>();
        let code32 = at as u32 + offset(&raw const trampoline_code32) as u32;
        let efer = if loader.features.no_execute { EFER_LME | EFER_NXE } else { EFER_LME };
        // SAFETY: both places lie in the page that was just allocated.
        unsafe {
            far.write_unaligned(code32);
            (*trampoline.slots()).root = loader.space.root() as u32;
            (*trampoline.slots()).efer = efer;
        }
        loader.map(at, Span { at, length: PAGE }, Access::Execute)?;
        Ok(trampoline)
    }

    /// Starts a processor on this stack; it parks at `record`. Says whether it came.
    pub fn start(&self, apic: &LocalApic, target: u32, stack: u64, record: u64) -> bool {
        let before = ARRIVED.load(Ordering::Acquire);
        X2APIC.store(apic.x2apic, Ordering::Release);
        // SAFETY: the slots lie in our page, and no processor that could read them is on its way.
        unsafe {
            (&raw mut (*self.slots()).stack).write_volatile(stack);
            (&raw mut (*self.slots()).record).write_volatile(record);
        }
        apic.send_init(target);
        port::delay(200);
        for patience in [PATIENCE_FIRST, PATIENCE_LAST] {
            apic.send_startup(target, self.at);
            for _ in 0..patience {
                if ARRIVED.load(Ordering::Acquire) != before {
                    return true;
                }
                core::hint::spin_loop();
                port::delay(1);
            }
        }
        // Should it come after all, it must not run into the next one's stack.
        apic.send_init(target);
        false
    }

    fn slots(&self) -> *mut Slots {
        self.place(&raw const trampoline_slots).cast()
    }

    fn place(&self, symbol: *const u8) -> *mut u8 {
        memory::pointer(self.at + offset(symbol) as u64)
    }
}

fn offset(symbol: *const u8) -> usize {
    symbol.addr() - (&raw const trampoline_start).addr()
}

global_asm!(
    r#"
    .section .rodata.trampoline, "a"
    .balign 16
    .globl trampoline_start, trampoline_end, trampoline_slots, trampoline_code32, trampoline_far32
trampoline_start:
    .code16
    cli
    cld
    xorl %ebx, %ebx
    movw %cs, %bx
    movw %bx, %ds
    shll $4, %ebx
    lgdtl trampoline_segments - trampoline_start
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl *(trampoline_far32 - trampoline_start)

    .code32
trampoline_code32:
    movw $0x20, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $0x20, %eax                # CR4: PAE alone
    movl %eax, %cr4
    movl (trampoline_slots - trampoline_start)(%ebx), %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          # EFER
    rdmsr
    orl (trampoline_slots - trampoline_start + 4)(%ebx), %eax
    wrmsr
    movl %cr0, %eax
    andl $~0x6000000c, %eax         # CD, NW, TS, EM
    orl $0x80010023, %eax           # PG, WP, NE, MP, PE
    movl %eax, %cr0
    ljmpl *(trampoline_far64 - trampoline_start)(%ebx)

    .balign 8
trampoline_segments:
    .short 7 * 8 - 1
    .long segments
trampoline_far32:
    .long 0
    .short 0x18
trampoline_far64:
    .long parked_entry
    .short 0x28
    .balign 8
trampoline_slots:
    .long 0, 0
    .quad 0, 0
trampoline_end:

    .text
    .code64
parked_entry:
    movw $0x30, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movl %ebx, %ebx
    movq (trampoline_slots - trampoline_start + 8)(%rbx), %rsp
    movq (trampoline_slots - trampoline_start + 16)(%rbx), %rdi
    movq %rsp, %rsi
    xorl %ebp, %ebp
    call parked_main
    ud2
    "#,
    options(att_syntax)
);

/// Where a started processor waits. `record` is its record in the response, `stack` its stack's end.
#[unsafe(no_mangle)]
extern "C" fn parked_main(record: u64, stack: u64) -> ! {
    let features = Features::probe();
    features.set_page_attributes();
    faults::load();
    let apic = LocalApic::open(&features, X2APIC.load(Ordering::Acquire));
    ARRIVED.fetch_add(1, Ordering::AcqRel);
    let entry = wait(record, apic);
    // SAFETY: the tables are those of the boot processor, the stack was made for this processor, and the kernel chose the entry.
    unsafe { leap::leap(entry, stack, record) }
}

/// Sleeps until the kernel has written an address into the record.
fn wait(record: u64, apic: Option<LocalApic>) -> u64 {
    let place =
        ptr::with_exposed_provenance::<u64>((record + loader::limine::answer::PROCESSOR_GOTO) as usize);
    let look = || {
        // SAFETY: the record lies in the responses, which stay until the kernel reclaims them after this processor has gone.
        unsafe { place.read_volatile() }
    };
    let Some(apic) = apic else {
        // Without an APIC it could not have been started.
        while look() == 0 {
            core::hint::spin_loop();
        }
        return look();
    };
    apic.start_timer(faults::WAKE, LOOK_EVERY);
    while look() == 0 {
        // SAFETY: the only interrupt is the timer's, whose handler returns at once; STI takes effect after HLT has begun.
        unsafe { asm!("sti", "hlt", "cli", options(nomem, nostack)) };
        apic.end_of_interrupt();
    }
    apic.stop_timer();
    // SAFETY: as above; this lets in the interrupt that may be waiting.
    unsafe { asm!("sti", "nop", "nop", "cli", options(nomem, nostack)) };
    apic.end_of_interrupt();
    apic.close();
    look()
}
