//! The pure part of capOS: all logic that can be tested without a machine. No IO, no clock, no globals; time, randomness and
//! memory are arguments. `cargo test-lib` runs its tests on the host.
#![no_std]

pub use capos_abi as abi;
pub use capos_acpi as acpi;
pub use capos_arena as arena;
pub use capos_authority as authority;
pub use capos_block as block;
pub use capos_cap as cap;
pub use capos_cpio as cpio;
pub use capos_dma as dma;
pub use capos_edu as edu;
pub use capos_elf as elf;
pub use capos_entropy as entropy;
pub use capos_fs as fs;
pub use capos_gpt as gpt;
pub use capos_inspect as inspect;
pub use capos_iommu as iommu;
pub use capos_ledger as ledger;
pub use capos_line as line;
pub use capos_log as log;
pub use capos_manifest as manifest;
pub use capos_media as media;
pub use capos_mem as mem;
pub use capos_mutate as mutate;
pub use capos_net as net;
pub use capos_nic as nic;
pub use capos_nvme as nvme;
pub use capos_pci as pci;
pub use capos_pending as pending;
pub use capos_pipe as pipe;
pub use capos_queue as queue;
pub use capos_restart as restart;
pub use capos_ring as ring;
pub use capos_sched as sched;
pub use capos_store as store;
pub use capos_terminal as terminal;
pub use capos_text as text;
pub use capos_uart as uart;
pub use capos_virtio as virtio;
pub use capos_web as web;
pub use capos_words as words;
