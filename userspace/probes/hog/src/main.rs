//! Takes memory until its budget ends, writes to all of it, and says how far it got: event `hog.full` with the pages and the
//! error that ended it. With the word `hold` it then keeps what it has, so that others can be watched beside it.
#![cfg_attr(capos, no_std, no_main)]

extern crate alloc;

use alloc::format;
use rt::generated::TestPortClient;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;
use rt::{CallError, Env, abi, log, sys};

rt::main!(run);

/// Address space to fill: more than any budget.
const SPACE: u64 = 1 << 36;
const PAGE: u64 = abi::PAGE_SIZE as u64;
/// Pages of the first steps; smaller steps follow when that is refused.
const STEP: u64 = 64;

fn run(mut env: Env) -> i64 {
    let port = env.client::<TestPortClient>("testport");
    let region = match Region::reserve(SPACE) {
        Ok(region) => region,
        Err(error) => {
            log::error(format_args!("{error}"));
            return 1;
        }
    };
    let (pages, error) = fill(&region);
    let kept = (0..pages).all(|page| region.load(page * PAGE) == Some(page));
    if let Ok(port) = port {
        let fields = format!("{{\"pages\":{pages},\"kept\":{kept},\"error\":\"{error}\"}}");
        // Whoever can not report is missed by the lab, which waits for the event.
        let _ = port.event_blocking("hog.full", &fields);
    }
    while env.args().any(|arg| arg == "hold") {
        sys::cap_enter(1, sys::FOREVER);
    }
    i64::from(!kept)
}

/// Backs page after page and marks each with its number; gives how many there were and why it ended.
fn fill(region: &Region) -> (u64, CallError) {
    let (mut pages, mut step) = (0, STEP);
    loop {
        match region.commit(pages * PAGE, step * PAGE, Protection::ReadWrite) {
            Ok(()) => {
                for page in pages..pages + step {
                    region.store(page * PAGE, page);
                }
                pages += step;
            }
            Err(error) if step == 1 => return (pages, error),
            Err(_) => step = 1,
        }
    }
}
