//! What the kernel asks of its loader: the Limine boot protocol, base revision 2, and nothing else.

use limine::BaseRevision;
use limine::mp::RequestFlags;
use limine::paging::Mode;
use limine::request::{
    BootloaderInfoRequest, DateAtBootRequest, ExecutableAddressRequest, ExecutableCmdlineRequest,
    ExecutableFileRequest, FirmwareTypeRequest, HhdmRequest, MemoryMapRequest, ModuleRequest, MpRequest,
    PagingModeRequest, RequestsEndMarker, RequestsStartMarker, RsdpRequest, StackSizeRequest,
};

const STACK: u64 = 64 * 1024;

/// Limine 8 silently treats revision 3 as 0, so exactly 2 is asked for.
pub const REVISION: u64 = 2;

#[used]
#[unsafe(link_section = ".requests.0")]
static START: RequestsStartMarker = RequestsStartMarker::new();
#[used]
#[unsafe(link_section = ".requests.2")]
static END: RequestsEndMarker = RequestsEndMarker::new();

#[used]
#[unsafe(link_section = ".requests.1")]
pub static BASE_REVISION: BaseRevision = BaseRevision::with_revision(REVISION);
#[used]
#[unsafe(link_section = ".requests.1")]
pub static DIRECT_MAP: HhdmRequest = HhdmRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static MEMORY_MAP: MemoryMapRequest = MemoryMapRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static ADDRESS: ExecutableAddressRequest = ExecutableAddressRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static FILE: ExecutableFileRequest = ExecutableFileRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static COMMAND_LINE: ExecutableCmdlineRequest = ExecutableCmdlineRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static MODULES: ModuleRequest = ModuleRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static RSDP: RsdpRequest = RsdpRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static PROCESSORS: MpRequest = MpRequest::new().with_flags(RequestFlags::X2APIC);
#[used]
#[unsafe(link_section = ".requests.1")]
pub static DATE: DateAtBootRequest = DateAtBootRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static LOADER: BootloaderInfoRequest = BootloaderInfoRequest::new();
#[used]
#[unsafe(link_section = ".requests.1")]
pub static FIRMWARE: FirmwareTypeRequest = FirmwareTypeRequest::new();
/// Five levels would only cost time: user space ends at 47 bits anyway.
#[used]
#[unsafe(link_section = ".requests.1")]
pub static PAGING: PagingModeRequest = PagingModeRequest::new().with_max_mode(Mode::FOUR_LEVEL);
#[used]
#[unsafe(link_section = ".requests.1")]
pub static STACK_SIZE: StackSizeRequest = StackSizeRequest::new().with_size(STACK);
