//! Driver's core, kernel's policies and device together: one driver, whichever way its DMA goes.

use capos_dma::window::Backend;
use capos_virtio::rng::{Rng, wish};
use capos_virtio::{DeviceFault, Interface, Step, Transport};
use fakes::drive::STEPS;
use fakes::kernel::{DriverRing, Kernel};
use fakes::virtio::{Entropy, Mischief, RegisterFault, RingFault};

const BUFFERS: usize = 4;
const LENGTH: u32 = 64;

struct Driver {
    kernel: Kernel<Entropy>,
    transport: Transport<0>,
    rng: Rng<DriverRing, BUFFERS>,
    places: [u64; BUFFERS],
    stock: Vec<u8>,
    now: u64,
}

impl Driver {
    fn new(interface: Interface, backend: Backend, vectors: u16) -> Driver {
        let mut kernel = Kernel::new(interface, Entropy::new(3), backend, vectors);
        let buffers = [(); BUFFERS].map(|()| kernel.buffer(LENGTH));
        let rng = Rng::new(buffers.map(|(token, _)| token), LENGTH);
        let places = buffers.map(|(_, place)| place);
        Driver {
            kernel,
            transport: Transport::new(interface, wish(vectors)),
            rng,
            places,
            stock: Vec::new(),
            now: 0,
        }
    }

    fn start(&mut self) -> Result<(), DeviceFault> {
        for _ in 0..STEPS {
            match self.transport.step(self.now) {
                Step::Write(register, value) => self.kernel.write(register, value),
                Step::Read(register) => self.transport.value(self.kernel.read(register)),
                Step::Attach { queue, layout, .. } => {
                    let ring = self.kernel.attach(queue, layout);
                    self.rng.on_reset(ring.expect("the kernel does that"), layout);
                }
                Step::Pause { until } => self.now = until,
                Step::Ready => return Ok(()),
                Step::Failed(fault) => return Err(fault),
            }
        }
        panic!("it never rests");
    }

    fn reset(&mut self) -> Result<(), DeviceFault> {
        self.transport.reset();
        self.start()
    }

    /// Gives all buffers, and takes what comes.
    fn round(&mut self) -> Result<(), DeviceFault> {
        if self.rng.submit(self.now) {
            self.kernel.publish();
        }
        self.kernel.device.turn();
        while let Some(filled) = self.rng.on_completion(self.now)? {
            let bytes = self.kernel.ram.read(self.places[filled.buffer], filled.length as usize);
            self.stock.extend(bytes.expect("it has that"));
            self.rng.release(filled.buffer);
        }
        Ok(())
    }

    fn touched_only_what_it_was_given(&self) -> bool {
        self.kernel.device.bus.touches().iter().all(|touch| touch.done)
    }
}

fn all() -> impl Iterator<Item = (Interface, Backend, u16)> {
    let ways =
        [Interface::Modern, Interface::Legacy].map(|it| [(it, Backend::Bounce), (it, Backend::Direct)]);
    ways.into_iter()
        .flatten()
        .flat_map(|(interface, backend)| [(interface, backend, 0), (interface, backend, 1)])
}

#[test]
fn the_same_driver_works_with_both_backends_and_does_nothing_that_it_may_not() {
    let expected = Entropy::new(3).bytes(100 * 4 * LENGTH);
    for (interface, backend, vectors) in all() {
        let mut driver = Driver::new(interface, backend, vectors);
        driver.start().unwrap();
        (0..100).for_each(|_| driver.round().unwrap());
        assert_eq!(driver.kernel.refused, Vec::<String>::new(), "{interface:?} {backend:?} {vectors}");
        assert_eq!(driver.kernel.device.violations, [], "{interface:?} {backend:?} {vectors}");
        assert!(driver.touched_only_what_it_was_given());
        assert_eq!(driver.stock, expected);
    }
}

#[test]
fn a_device_that_wants_no_notifications_gets_buffers_all_the_same() {
    for (interface, backend, vectors) in all() {
        let mut driver = Driver::new(interface, backend, vectors);
        driver.kernel.device.polls = true;
        driver.start().unwrap();
        (0..10).for_each(|_| driver.round().unwrap());
        assert_eq!(driver.stock.len(), 10 * BUFFERS * LENGTH as usize, "{interface:?} {backend:?} {vectors}");
        assert_eq!(driver.kernel.device.violations, []);
    }
}

#[test]
fn a_driver_that_begins_anew_finds_a_device_that_forgot_and_buffers_without_pins() {
    for (interface, backend, vectors) in all() {
        let mut driver = Driver::new(interface, backend, vectors);
        for life in 0..3 {
            driver.reset().unwrap();
            driver.round().unwrap();
            assert!(driver.rng.submit(driver.now));
            driver.kernel.publish();
            assert_eq!(driver.kernel.refused, Vec::<String>::new(), "{interface:?} {backend:?} life {life}");
        }
        let pins = |driver: &Driver| driver.kernel.pool.buffers().map(|it| it.pins).sum::<u64>();
        assert_eq!(pins(&driver), if backend == Backend::Bounce { 4 } else { 0 });
        driver.kernel.reset();
        assert_eq!((pins(&driver), driver.kernel.device.works()), (0, false));
        driver.kernel.device.turn();
        assert!(driver.touched_only_what_it_was_given());
        assert_eq!(driver.kernel.device.violations, []);
    }
}

#[test]
fn a_driver_that_gives_up_may_say_so() {
    for fault in [RegisterFault::RefusesFeatures, RegisterFault::NoVector, RegisterFault::NeedsReset] {
        let mut driver = Driver::new(Interface::Modern, Backend::Bounce, 1);
        driver.kernel.device.mischief = Mischief::register(fault);
        assert!(driver.start().is_err());
        assert_eq!(driver.kernel.refused, Vec::<String>::new(), "{fault:?}");
        driver.kernel.device.mischief = Mischief::none();
        assert_eq!(driver.reset(), Ok(()));
    }
}

#[test]
fn driver_and_kernel_see_the_same_fault_of_a_device() {
    let faults =
        [RingFault::Id(9), RingFault::Twice, RingFault::Jump(77), RingFault::Id(2), RingFault::Never];
    for (interface, fault) in
        [Interface::Modern, Interface::Legacy].into_iter().flat_map(|it| faults.map(|fault| (it, fault)))
    {
        let mut driver = Driver::new(interface, Backend::Bounce, 0);
        driver.kernel.device.mischief = Mischief::ring(&[(1, fault)]);
        driver.start().unwrap();
        let seen = driver.round();
        driver.kernel.publish();
        let refused: Vec<String> = seen.err().map(|fault| fault.to_string()).into_iter().collect();
        assert_eq!(
            (driver.kernel.refused.as_slice(), refused.len()),
            (&refused[..], usize::from(fault != RingFault::Never))
        );
        driver.kernel.refused.clear();
        driver.reset().unwrap();
        driver.round().unwrap();
        assert!(driver.kernel.refused.is_empty() && driver.touched_only_what_it_was_given());
    }
}
