//! Messages of every interface. What decodes says the same after it was encoded again.
#![no_main]

use capos_schema::{
    Decode, Empty, Encode, boot_package, byte_stream, console, endpoint, endpoint_factory, entropy_sink, entropy_source,
    interrupt, interrupt_controller, io_port, log_reader, log_sink, memory_object, process_handle,
    process_spawner, services, system_info, test_port, thread_control, timer, virtual_memory, wall_clock,
};
use libfuzzer_sys::fuzz_target;
use std::fmt::Debug;

fuzz_target!(|message: &[u8]| {
    let mut out = vec![0; message.len() + 256];
    again::<Empty>(message, &mut out);
    files_and_streams(message, &mut out);
    devices(message, &mut out);
    processes(message, &mut out);
    memory(message, &mut out);
    information(message, &mut out);
});

/// Decodes, encodes, decodes.
fn again<'a, T: Decode<'a> + Encode + PartialEq + Debug>(message: &'a [u8], out: &'a mut [u8]) {
    let Ok(value) = T::decode(message) else { return };
    let length = value.encode(out).expect("it is no longer than it was");
    let copy = T::decode(out.get(..length).expect("inside")).expect("ours is well formed");
    assert_eq!(value, copy);
}

fn files_and_streams(message: &[u8], out: &mut [u8]) {
    again::<boot_package::CountResults>(message, out);
    again::<boot_package::InfoResults>(message, out);
    again::<boot_package::OpenParams>(message, out);
    again::<boot_package::OpenResults>(message, out);
    again::<byte_stream::ReadParams>(message, out);
    again::<byte_stream::ReadResults>(message, out);
    again::<byte_stream::WriteParams>(message, out);
    again::<console::ReadKeysResults>(message, out);
    again::<console::ReadLineParams>(message, out);
    again::<console::ReadLineResults>(message, out);
    again::<console::SizeResults>(message, out);
    again::<console::WriteParams>(message, out);
    again::<log_reader::ReadResults>(message, out);
    again::<log_sink::WriteParams>(message, out);
    again::<test_port::EventParams>(message, out);
    again::<test_port::FinishParams>(message, out);
}

fn devices(message: &[u8], out: &mut [u8]) {
    again::<interrupt::WaitResults>(message, out);
    again::<interrupt_controller::IsaParams>(message, out);
    again::<io_port::InfoResults>(message, out);
    again::<io_port::Read8Params>(message, out);
    again::<io_port::ReadBytesParams>(message, out);
    again::<io_port::ReadBytesResults>(message, out);
    again::<io_port::SubrangeParams>(message, out);
    again::<io_port::SubrangeResults>(message, out);
    again::<io_port::Write32Params>(message, out);
    again::<io_port::WriteBytesParams>(message, out);
}

fn processes(message: &[u8], out: &mut [u8]) {
    again::<endpoint::MintParams>(message, out);
    again::<endpoint::MintResults>(message, out);
    again::<endpoint_factory::CreateParams>(message, out);
    again::<process_handle::CrashResults>(message, out);
    again::<process_handle::GrantParams>(message, out);
    again::<process_handle::InfoResults>(message, out);
    again::<process_handle::StartParams>(message, out);
    again::<process_handle::WaitResults>(message, out);
    again::<process_spawner::CreateParams>(message, out);
    again::<services::KillParams>(message, out);
    again::<services::ListResults>(message, out);
    again::<thread_control::CreateParams>(message, out);
    again::<thread_control::CreateResults>(message, out);
}

fn memory(message: &[u8], out: &mut [u8]) {
    again::<entropy_sink::FeedParams>(message, out);
    again::<entropy_source::FillParams>(message, out);
    again::<entropy_source::FillResults>(message, out);
    again::<memory_object::InfoResults>(message, out);
    again::<memory_object::ReadParams>(message, out);
    again::<memory_object::ReadResults>(message, out);
    again::<memory_object::WriteParams>(message, out);
    again::<virtual_memory::CommitParams>(message, out);
    again::<virtual_memory::CreateObjectParams>(message, out);
    again::<virtual_memory::MapParams>(message, out);
    again::<virtual_memory::UnmapParams>(message, out);
}

fn information(message: &[u8], out: &mut [u8]) {
    again::<system_info::AcpiFactResults>(message, out);
    again::<system_info::AcpiTableResults>(message, out);
    again::<system_info::BootResults>(message, out);
    again::<system_info::CpuResults>(message, out);
    again::<system_info::IrqResults>(message, out);
    again::<system_info::MemoryRangeResults>(message, out);
    again::<system_info::PciBarResults>(message, out);
    again::<system_info::PciCapabilityResults>(message, out);
    again::<system_info::PciFunctionResults>(message, out);
    again::<system_info::ProcessResults>(message, out);
    again::<system_info::SystemResults>(message, out);
    again::<timer::NowResults>(message, out);
    again::<timer::SleepUntilParams>(message, out);
    again::<wall_clock::NowResults>(message, out);
}
