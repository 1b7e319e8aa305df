//! The driver of `edu` against a device whose registers say what they like.
//!
//! Input: jobs, interrupts, and what registers read as now and then. The machine must come to rest in bounded steps; no transfer may name a byte
//! outside of what the job named, or a place outside of the device's buffer; a factorial that it gives is right.
#![no_main]

use capos_edu::{Copy, Edu, Job, JobError, Outcome, Step, TIMEOUT_NS, Transfer, factorial, register};
use fakes::edu::{Device, Fault};
use fakes::{Bus, Ram};
use libfuzzer_sys::arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;

/// Time that passes with each wait, and steps that nothing needs: a copy here has up to 8 pieces, of up to 8 steps for each wait.
const WAIT_NS: u64 = TIMEOUT_NS / 8;
const STEPS: u32 = 2000;

/// Faults that last, beside those of single reads.
const FAULTS: [Option<Fault>; 6] = [
    None,
    Some(Fault::ComputesForEver),
    Some(Fault::Mute),
    Some(Fault::Hasty),
    Some(Fault::Nagging),
    Some(Fault::Sticky),
];

fuzz_target!(|bytes: &[u8]| {
    // Ends when the input does.
    let _ = run(&mut Unstructured::new(bytes));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let mut core = Edu::new();
    let mut device = Device::new(Bus::direct(&Ram::new(1 << 16)));
    let (mut now, mut job) = (0, None);
    while !input.is_empty() {
        device.fault = *input.choose(&FAULTS)?;
        match input.int_in_range(0..=3)? {
            0 => {
                core.reset();
                job = None;
            }
            1 => core.on_interrupt(),
            _ => {
                let wanted = draw(input)?;
                match core.submit(wanted) {
                    Ok(()) => job = Some(wanted),
                    Err(JobError::Wraps) => assert!(matches!(wanted, Job::Copy(_))),
                    Err(_) => {}
                }
            }
        }
        settle(&mut core, &mut device, &mut now, job, input);
        match (core.outcome(), job) {
            (Some(Outcome::Factorial(result)), Some(Job::Factorial(of))) => assert_eq!(result, factorial(of)),
            (Some(Outcome::Raised(bits)), Some(Job::Raise(wanted))) => assert_eq!(bits, wanted),
            (Some(Outcome::Copied(length)), Some(Job::Copy(copy))) => assert_eq!(length, copy.length),
            (None, _) => {}
            (outcome, job) => panic!("{outcome:?} of {job:?}"),
        }
    }
    Ok(())
}

fn draw(input: &mut Unstructured<'_>) -> Result<Job> {
    Ok(match input.int_in_range(0..=2)? {
        0 => Job::Factorial(input.arbitrary::<u8>()?.into()),
        1 => Job::Raise(input.arbitrary()?),
        _ => {
            let high = if input.ratio(1, 8)? { u64::MAX - 0x2000 } else { 0x1000 };
            let (from, to) = (high + u64::from(input.arbitrary::<u8>()?), high + 0x1000);
            Job::Copy(Copy { from, to, length: input.int_in_range(0..=8000)? })
        }
    })
}

/// One register read of four is the input's, as long as there is some.
fn settle(
    core: &mut Edu,
    device: &mut Device,
    now: &mut u64,
    job: Option<Job>,
    input: &mut Unstructured<'_>,
) {
    for _ in 0..STEPS {
        match core.step(*now) {
            Step::Write(register, value) => device.write(register.offset(), value.into()),
            Step::Read(register) => {
                let honest = device.read(register.offset());
                let lies = !input.is_empty() && input.ratio(1, 4).unwrap_or(false);
                let lie = lies.then(|| input.arbitrary().unwrap_or(honest));
                core.value(lie.unwrap_or(honest));
            }
            Step::Transfer(transfer) => is_within(transfer, job),
            Step::Pause { until } => {
                assert!(until > *now);
                *now = until;
            }
            Step::Wait { until } => {
                assert!(until > *now);
                device.turn();
                *now += WAIT_NS;
                if device.interrupts() > 0 || (!input.is_empty() && input.ratio(1, 4).unwrap_or(false)) {
                    core.on_interrupt();
                }
            }
            Step::Idle | Step::Failed(_) => return,
        }
    }
    panic!("it never rests: {core:?}");
}

fn is_within(transfer: Transfer, job: Option<Job>) {
    let Some(Job::Copy(copy)) = job else { panic!("{transfer:?} of {job:?}") };
    let begin = if transfer.to_device { copy.from } else { copy.to };
    let offset = transfer.token.checked_sub(begin).expect("it begins before the buffer");
    assert!(transfer.length > 0 && offset + u64::from(transfer.length) <= copy.length.into());
    assert!(transfer.device_offset + transfer.length < register::BUFFER);
}
