//! The two ways in, both in 32-bit protected mode without paging, and the way from there to long mode.
//!
//! PVH comes with the start information in EBX; Multiboot2 with its magic number in EAX and the boot information in EBX. Long mode is
//! entered on tables that map the low 4 GiB twice, where they are and in the direct map, with large pages; [`super::start`] replaces
//! them. CR4 is written whole: five-level paging, if firmware left it on, goes off here while paging is off.

use core::arch::global_asm;

unsafe extern "C" {
    /// The lowest word of the boot stack, which nothing reaches unless the stack is too small.
    static boot_stack: u64;
}

/// Whether the boot stack has never been used up. Below it lie page tables, so that an overflow would not show at once.
pub fn stack_is_whole() -> bool {
    // SAFETY: the word lies in our zeroed image, and the stack's code does not reach it while this is true.
    unsafe { (&raw const boot_stack).read_volatile() == 0 }
}

global_asm!(
    r#"
    .set MULTIBOOT2_MAGIC, 0xe85250d6
    .set MULTIBOOT2_LOADED, 0x36d76289
    .set DIRECT_MAP_SLOT, 256
    .set CODE64, 0x28
    .set DATA64, 0x30
    .set EFER, 0xc0000080
    .set EFER_LME, 1 << 8
    .set EFER_NXE, 1 << 11
    .set CR4_PAE, 1 << 5
    .set CR0_ON, 0x80010023     # PG, WP, NE, MP, PE
    .set CR0_OFF, 0x6000000c    # CD, NW, TS, EM

    # Multiboot2 header: modules on page boundaries, nothing else.
    .section .multiboot2, "a"
    .balign 8
multiboot2_header:
    .long MULTIBOOT2_MAGIC
    .long 0
    .long multiboot2_end - multiboot2_header
    .long -(MULTIBOOT2_MAGIC + (multiboot2_end - multiboot2_header))
    .short 6, 0
    .long 8
    .short 0, 0
    .long 8
multiboot2_end:

    # XEN_ELFNOTE_PHYS32_ENTRY. Its eight bytes are what QEMU reads from an ELF64.
    .section .note.pvh, "a", @note
    .balign 4
    .long 4, 8, 18
    .asciz "Xen"
    .quad pvh_entry

    .section .text.entry, "ax"
    .code32
    .globl pvh_entry
pvh_entry:
    movl $1, %edi
    jmp enter

    .globl multiboot2_entry
multiboot2_entry:
    movl $2, %edi
    cmpl $MULTIBOOT2_LOADED, %eax
    jne not_multiboot2

    # EDI: the way; ESI: its information. CPUID spares both.
enter:
    cli
    cld
    movl %ebx, %esi
    movl $boot_stack_top, %esp

    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    btl $29, %edx
    jnc no_long_mode
    movl %edx, %ebp

    # 2048 large pages, present and writable.
    movl $boot_directories, %ebx
    movl $0x83, %eax
    movl $2048, %ecx
1:  movl %eax, (%ebx)
    movl $0, 4(%ebx)
    addl $0x200000, %eax
    addl $8, %ebx
    loop 1b
    movl $boot_pointers, %ebx
    movl $boot_directories + 3, %eax
    movl $4, %ecx
1:  movl %eax, (%ebx)
    addl $0x1000, %eax
    addl $8, %ebx
    loop 1b
    movl $boot_pointers + 3, boot_root
    movl $boot_pointers + 3, boot_root + 8 * DIRECT_MAP_SLOT

    movl $CR4_PAE, %eax
    movl %eax, %cr4
    movl $boot_root, %eax
    movl %eax, %cr3
    movl $EFER, %ecx
    rdmsr
    orl $EFER_LME, %eax
    btl $20, %ebp
    jnc 1f
    orl $EFER_NXE, %eax
1:  wrmsr
    movl %cr0, %eax
    andl $~CR0_OFF, %eax
    orl $CR0_ON, %eax
    movl %eax, %cr0
    lgdt segments_pointer
    ljmp $CODE64, $enter_long_mode

no_long_mode:
    movl $no_long_mode_text, %esi
    jmp say_and_stop
not_multiboot2:
    movl $not_multiboot2_text, %esi
say_and_stop:
    movw $0x3f8, %dx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  cli
    hlt
    jmp 2b

    .code64
enter_long_mode:
    movw $DATA64, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw %ax, %fs
    movw %ax, %gs
    movl %edi, %edi
    movl %esi, %esi
    movq $boot_stack_top, %rsp
    xorl %ebp, %ebp
    call loader_main
    ud2

    .section .rodata.entry, "a"
no_long_mode_text:
    .asciz "handoff: refused: this processor has no 64-bit mode\r\n"
not_multiboot2_text:
    .asciz "handoff: refused: entered neither by PVH nor by Multiboot2\r\n"

    # The descriptors that the protocol names, in its order, with their accessed bits set since the page is not writable.
    .balign 8
    .globl segments
segments:
    .quad 0
    .quad 0x00009b000000ffff
    .quad 0x000093000000ffff
    .quad 0x00cf9b000000ffff
    .quad 0x00cf93000000ffff
    .quad 0x00af9b000000ffff
    .quad 0x00cf93000000ffff
segments_end:
    .globl segments_pointer
segments_pointer:
    .short segments_end - segments - 1
    .quad segments

    .section .bss.entry, "aw", @nobits
    .balign 4096
    .globl boot_root
boot_root:          .skip 4096
boot_pointers:      .skip 4096
boot_directories:   .skip 4 * 4096
    .globl boot_stack
boot_stack:         .skip 512 * 1024
boot_stack_top:
    .text
    "#,
    options(att_syntax)
);
