//! `LogSink`, `LogReader`, `BootPackage`, `SystemInfo`.

use crate::Setup;
use alloc::string::String;
use rt::schema::log_sink::LogLevel;
use rt::{CallError, ExceptionCode};

pub fn all(setup: &Setup) -> Result<(), CallError> {
    log(setup)?;
    boot_files(setup)?;
    system(setup)
}

fn log(setup: &Setup) -> Result<(), CallError> {
    let (report, reader) = (&setup.report, &setup.log_reader);
    let mut cursor = 0;
    loop {
        let record = reader.read_blocking(cursor)?;
        if !record.found {
            break;
        }
        cursor = record.next;
    }
    setup.log.write_blocking(LogLevel::Info, "probe-caps was here")?;
    let record = reader.read_blocking(cursor)?;
    report.equal("the log keeps the text", record.text.as_str(), "probe-caps was here");
    report.equal("and who wrote it", record.process, rt::threads::process_id());
    report.equal("and the level", record.level, LogLevel::Info);
    report.equal("nothing was lost in between", record.lost, 0);
    let long: String = core::iter::repeat_n('x', 1025).collect();
    let refused = setup.log.write_blocking(LogLevel::Info, &long);
    report.fails("a text too long", refused, ExceptionCode::InvalidArgument);
    report.equal("is not written", reader.read_blocking(record.next)?.found, false);
    Ok(())
}

fn boot_files(setup: &Setup) -> Result<(), CallError> {
    let (report, boot) = (&setup.report, setup.nursery.boot());
    let files = boot.count_blocking()?;
    let mut seen = false;
    for index in 0..files {
        let info = boot.info_blocking(index)?;
        seen |= info.name == "probe-caps" && info.size > 0;
    }
    report.check("our own program is among the boot files", seen, files);
    report.fails("a file behind the last", boot.info_blocking(files), ExceptionCode::NotFound);
    report.fails("a file that does not exist", boot.open_blocking("no-such-file"), ExceptionCode::NotFound);
    let own = boot.open_blocking("probe-caps")?;
    report.equal("a program begins as ELF files do", own.object.read_blocking(0, 4)?, b"\x7fELF".to_vec());
    report.fails("a boot file is read-only", own.object.write_blocking(0, &[0]), ExceptionCode::Denied);
    Ok(())
}

fn system(setup: &Setup) -> Result<(), CallError> {
    let (report, system) = (&setup.report, setup.audit.system());
    let all = system.system_blocking()?;
    report.check("free memory is part of all memory", all.free_pages < all.total_pages, all.free_pages);
    report.fails("a processor behind the last", system.cpu_blocking(all.cpus), ExceptionCode::NotFound);
    let own = system.process_blocking(rt::threads::process_id())?;
    report.equal("our own name", own.name.as_str(), "probe-caps");
    let (mut cursor, mut processes) = (0, 0);
    while let Ok(process) = system.process_blocking(cursor) {
        cursor = process.id + 1;
        processes += 1;
    }
    report.equal("as many processes as it says", processes, all.processes);
    Ok(())
}
