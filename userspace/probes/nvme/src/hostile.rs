//! What a driver of a controller must not try, and what comes of it.
//!
//! Where the kernel translates it refuses. Where the queues are the driver's the device does what it is told, and the IOMMU keeps it from all
//! that was not granted. It says so, if it says anything (QEMU 7.2's of AMD's kind does not); a sector that goes to that address and from there
//! back to the disk is not the same; and what is read is the bait, so that who watches memory sees it wherever it comes to.

use crate::controller::{
    CONFIGURATION, IDENTIFY, NAMESPACE, Nvme, PAGE, READ, SECTOR, WRITE, failed, transfer,
};
use crate::pair::{Command, Pair};
use crate::stage::{OURS, Stage, clear, said, sector};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rt::CallError;
use rt::region::Region;
use rt::schema::virtual_memory::Protection;

type Play = fn(&Stage, &mut Nvme<'_>) -> Result<String, CallError>;

/// One misdeed: what comes of it where the kernel translates, and where drivers name addresses.
struct Row {
    name: &'static str,
    play: Play,
    bounce: &'static str,
    direct: &'static str,
}

impl Row {
    /// One that comes to the same.
    const fn new(name: &'static str, play: Play, wanted: &'static str) -> Row {
        Row { name, play, bounce: wanted, direct: wanted }
    }

    /// That is what it comes to where drivers name addresses.
    const fn direct(self, wanted: &'static str) -> Row {
        Row { direct: wanted, ..self }
    }
}

const ROWS: &[Row] = &[
    Row::new("nvme-queue-addresses", queue_addresses, "Denied").direct("InvalidArgument"),
    Row::new("nvme-queue-sizes", queue_sizes, "Denied"),
    Row::new("nvme-own-queue", own_queue, "Denied").direct("Done Pinned"),
    Row::new("nvme-memory-buffers", memory_buffers, "Denied"),
    Row::new("nvme-doorbell", doorbell, "Denied").direct("Done"),
    Row::new("nvme-beyond-the-doorbells", beyond, "Denied"),
    Row::new("nvme-disabled-by-register", disable, "WrongState"),
    Row::new("nvme-enabled-without-queue", enable, "WrongState"),
    Row::new("nvme-pointer", pointer, "InvalidArgument").direct("Answered Blocked"),
    Row::new("nvme-list", list, "InvalidArgument").direct("Answered Blocked"),
    Row::new("nvme-list-entry", list_entry, "InvalidArgument").direct("Answered Blocked"),
    Row::new("nvme-write-from-elsewhere", writes, "InvalidArgument Untold").direct("Answered Blocked Untold"),
    Row::new("nvme-same-again-after-free", same_again, "Written InvalidArgument Untouched")
        .direct("Written Answered Blocked Untouched"),
    Row::new("nvme-answer-elsewhere", answer_elsewhere, "Answered Here").direct("Answered Nowhere Blocked"),
    Row::new("nvme-queue-elsewhere", queue_elsewhere, "Here").direct("Nowhere Blocked"),
    Row::new("nvme-queue-too-large", queue_too_large, "InvalidArgument").direct("Answered"),
];

/// ASQ and ACQ.
const QUEUE_ADDRESSES: [u32; 2] = [0x28, 0x30];

/// Where somebody's memory is, whatever the machine.
const SOMEBODYS: u64 = 0x10_0000;

/// What neither firmware nor the kernel uses: the watcher hides there what is not to be read.
const HIDDEN: u64 = 0x800_0000;

/// Plays them, each with the controller set up anew. How many there are.
pub fn play(stage: &Stage) -> Result<usize, CallError> {
    for Row { name, play, bounce, direct } in ROWS {
        let mut nvme = stage.nvme()?;
        let wanted = if nvme.admin.is_direct() { direct } else { bounce };
        let found = play(stage, &mut nvme)?;
        drop(nvme);
        let wanted = if stage.records { String::from(*wanted) } else { wanted.replace(" Blocked", "") };
        stage.judge(name, &found, &wanted)?;
    }
    Ok(ROWS.len())
}

/// What all calls say: one word if they agree.
fn all_said<T>(results: impl IntoIterator<Item = Result<T, CallError>>) -> String {
    let mut words: Vec<String> = results.into_iter().map(said).collect();
    words.dedup();
    words.join(" ")
}

/// ASQ and ACQ: somebody's memory, interrupts, a token that was freed, beyond a buffer.
fn queue_addresses(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let (buffer, freed) = (nvme.buffer(1)?, nvme.buffer(1)?.token());
    let forged = [SOMEBODYS, 0xfee0_0000, freed, buffer.token() + PAGE / 2, 0, u64::MAX - PAGE];
    let all = forged.iter().flat_map(|token| QUEUE_ADDRESSES.map(|offset| (offset, *token)));
    Ok(all_said(all.map(|(offset, token)| nvme.window.write_blocking(offset, 8, token))))
}

/// AQA, and what is where addresses are.
fn queue_sizes(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let mut tried = Vec::from([nvme.window.write_blocking(0x24, 4, 0xfff_0fff)]);
    tried.extend(QUEUE_ADDRESSES.map(|offset| nvme.window.read_blocking(offset, 8).map(drop)));
    Ok(all_said(tried))
}

/// Memory of our own for queue 0: where drivers name addresses, and it stays as long as the device may read it.
fn own_queue(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let buffer = nvme.buffer(1)?;
    let written = nvme.window.write_blocking(QUEUE_ADDRESSES[0], 8, buffer.token());
    if written.is_err() {
        return Ok(said(written));
    }
    drop(buffer);
    let pinned = nvme.pool.usage_blocking()?.pinned;
    Ok(String::from(if pinned == 1 { "Done Pinned" } else { "Done Free" }))
}

/// Memory of the controller that would be mapped where somebody's is: CMBMSC, PMRCTL, PMRMSC; and BPMBL, a boot partition's target.
fn memory_buffers(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let all = [(0x50, 8), (0x50, 4), (0x54, 4), (0xe04, 4), (0xe14, 4), (0xe18, 4), (0x44, 4), (0x48, 8)];
    Ok(all_said(all.map(|(offset, width)| nvme.window.write_blocking(offset, width, SOMEBODYS | 3))))
}

fn doorbell(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    Ok(all_said([0x1000, 0x1004].map(|offset| nvme.window.write_blocking(offset, 4, 0))))
}

/// Where QEMU has the table of messages; and pages that are not the driver's.
fn beyond(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let mut tried: Vec<_> =
        [0x2000, 0x2004, 0x200c, 0x3000].map(|offset| nvme.window.write_blocking(offset, 4, 0)).into();
    tried.push(nvme.window.map_blocking(0, PAGE as u32, true).map(drop));
    tried.push(nvme.window.map_blocking(0x2000, PAGE as u32, true).map(drop));
    Ok(all_said(tried))
}

/// The device would forget its queues, and the kernel would not know.
fn disable(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    Ok(said(nvme.window.write_blocking(CONFIGURATION, 4, 0)))
}

/// Queue 0 would lie where it was before the reset.
fn enable(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    nvme.device.reset_blocking()?;
    let window = nvme.device.window_blocking(0)?;
    Ok(said(window.write_blocking(CONFIGURATION, 4, 1)))
}

/// Makes a command, and says which address it must not name, from that of two pages of ours.
type Misdeed = fn(u64) -> (Command, u64);

/// Each with a queue of its own, as one that was refused something takes no more. In the second page of memory there is a list.
fn each(stage: &Stage, nvme: &mut Nvme<'_>, misdeeds: &[Misdeed], list: &[u64]) -> Result<String, CallError> {
    let mut found = Vec::new();
    for misdeed in misdeeds {
        let buffer = nvme.buffer(2)?;
        let entries: Vec<u8> = list.iter().flat_map(|entry| entry.to_le_bytes()).collect();
        buffer.write(PAGE, &entries);
        let mut pair = nvme.open()?;
        let (command, address) = misdeed(buffer.token());
        found.push(stage.fate(nvme, &mut pair, command, address)?);
        if pair.is_direct() && stage.reaches(nvme, &mut pair, address, &buffer)? {
            found.push(String::from("Reached"));
        }
        clear(&buffer, 2);
        begin_anew(nvme)?;
    }
    found.dedup();
    Ok(found.join(" "))
}

/// All of it, after a reset.
fn begin_anew(nvme: &mut Nvme<'_>) -> Result<(), CallError> {
    nvme.device.reset_blocking()?;
    nvme.set_up()
}

fn pointer(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    const LAST: u64 = u64::MAX << 12;
    let all: &[Misdeed] = &[
        |_| (transfer(READ, 0, 1, [SOMEBODYS, 0]), SOMEBODYS),
        |token| (transfer(READ, 0, 1, [token + (1 << 20), 0]), token + (1 << 20)),
        |token| (transfer(READ, 0, 16, [token + PAGE, token + 2 * PAGE]), token + 2 * PAGE),
        |_| (transfer(READ, 0, 1, [LAST, 0]), LAST),
    ];
    each(stage, nvme, all, &[])
}

/// The list lies in somebody's memory, or behind the buffer.
fn list(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let all: &[Misdeed] = &[
        |token| (transfer(READ, 0, 24, [token, SOMEBODYS]), SOMEBODYS),
        |token| (transfer(READ, 0, 24, [token, token + 2 * PAGE]), token + 2 * PAGE),
    ];
    each(stage, nvme, all, &[])
}

/// The list is our own, and one of its pointers is not.
fn list_entry(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let all: &[Misdeed] = &[|token| (transfer(READ, 0, 24, [token, token + PAGE]), SOMEBODYS)];
    each(stage, nvme, all, &[SOMEBODYS, SOMEBODYS + PAGE])
}

/// What is not ours goes to the disk, and is read from there. Of memory that it does not reach QEMU writes zeros.
fn writes(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let from: &[Misdeed] = &[
        |_| (transfer(WRITE, OURS, 1, [SOMEBODYS, 0]), SOMEBODYS),
        |_| (transfer(WRITE, OURS, 1, [HIDDEN, 0]), HIDDEN),
        |token| (transfer(WRITE, OURS, 1, [token + 2 * PAGE, 0]), token + 2 * PAGE),
    ];
    let before = on_disk(nvme)?;
    let (mut found, mut told) = (Vec::new(), false);
    for one in from {
        found.push(each(stage, nvme, &[*one], &[])?);
        let after = on_disk(nvme)?;
        told |= after.iter().zip(&before).any(|(after, before)| *after != 0 && after != before);
    }
    found.dedup();
    Ok(format!("{} {}", found.join(" "), if told { "Told" } else { "Untold" }))
}

/// The sector that is ours.
fn on_disk(nvme: &mut Nvme<'_>) -> Result<Vec<u64>, CallError> {
    let buffer = nvme.buffer(1)?;
    let mut pair = nvme.open()?;
    pair.submit(transfer(READ, OURS, 1, [buffer.token(), 0]))?;
    if pair.wait(nvme.timer)? != Some(0) {
        return Err(failed());
    }
    let words = sector(&buffer, 0).collect();
    begin_anew(nvme)?;
    Ok(words)
}

/// Memory that was freed, and is still ours to look at: the device could find it if an IOMMU remembered.
fn same_again(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let named = nvme.pool.allocate_blocking(1)?;
    let token = named.info_blocking()?.token;
    let memory = Region::map(&named.memory_blocking()?, 0, PAGE, Protection::ReadWrite)?;
    let mut pair = nvme.open()?;
    let again = transfer(READ, 0, 1, [token, 0]);
    let first = stage.fate(nvme, &mut pair, again, token)?;
    let written = first == "Answered" && memory.load(0) != Some(0);
    (0..SECTOR).step_by(8).for_each(|at| {
        memory.store(at, 0);
    });
    drop(named);
    // With this call the kernel has heard of it.
    nvme.pool.usage_blocking()?;
    let second = stage.fate(nvme, &mut pair, again, token)?;
    let touched = (0..SECTOR).step_by(8).any(|at| memory.load(at) != Some(0));
    Ok(format!(
        "{} {second} {}",
        if written { "Written" } else { "Idle" },
        if touched { "Touched" } else { "Untouched" }
    ))
}

/// The answer comes to where answers come to, or the IOMMU keeps it off.
fn answer_elsewhere(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    stage.blocked_at(SOMEBODYS, || {
        nvme.ask([IDENTIFY, 0, 0, SOMEBODYS, 0, 1, 0, 0])?;
        Ok(String::from(if nvme.text(4, 20).is_empty() { "Answered Nowhere" } else { "Answered Here" }))
    })
}

/// Queues that are to lie in somebody's memory lie in their own, or the device finds none.
fn queue_elsewhere(stage: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    nvme.identify(0, NAMESPACE)?;
    let mut pair = Pair::new(&nvme.device, &nvme.window, 1)?;
    nvme.create(&pair, [SOMEBODYS, SOMEBODYS + PAGE, 0])?;
    let buffer = nvme.buffer(1)?;
    let read = transfer(READ, 0, 1, [buffer.token(), 0]);
    let found = stage.fate(nvme, &mut pair, read, SOMEBODYS)?;
    clear(&buffer, 1);
    Ok(found.replace("Answered", "Here").replace("Silent", "Nowhere"))
}

/// The device would write completions behind the ring.
fn queue_too_large(_: &Stage, nvme: &mut Nvme<'_>) -> Result<String, CallError> {
    let pair = Pair::new(&nvme.device, &nvme.window, 1)?;
    let [_, completions, _] = pair.places();
    let create = [5, 0, 0, completions, 0, 1 | (2 * pair.size() - 1) << 16 | 1 << 32, 0, 0];
    Ok(nvme.ask(create).map_or_else(|error| said::<()>(Err(error)), |_| String::from("Answered")))
}
