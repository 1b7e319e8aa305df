//! Memory that a session's requests name.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use rt::generated::{DmaBufferClient, DmaPoolClient, MemoryObjectClient};
use rt::{CallError, ExceptionCode};

/// Most buffers of one session.
const MOST: usize = 64;

/// Memory of a client. It is there as long as a request names it, and longer than any device.
pub struct Attached {
    object: MemoryObjectClient,
    size: u64,
    token: Cell<u64>,
    life: Cell<u64>,
    /// By which the device of now finds it.
    buffer: RefCell<Option<DmaBufferClient>>,
}

impl Attached {
    fn new(object: MemoryObjectClient) -> Result<Attached, CallError> {
        let info = object.info_blocking()?;
        Ok(Attached {
            object,
            size: info.size,
            token: Cell::new(0),
            life: Cell::new(0),
            buffer: RefCell::default(),
        })
    }

    /// Lets a device find it, in its life of that number. Once for each.
    pub fn enter(&self, pool: &DmaPoolClient, life: u64) -> Result<(), CallError> {
        if self.life.get() == life {
            return Ok(());
        }
        let buffer = pool.attach_blocking(&self.object)?;
        self.token.set(buffer.info_blocking()?.token);
        self.buffer.replace(Some(buffer));
        self.life.set(life);
        Ok(())
    }

    /// Where it begins for the device.
    #[inline]
    pub fn token(&self) -> u64 {
        self.token.get()
    }

    /// Bytes.
    #[inline]
    pub fn size(&self) -> u64 {
        self.size
    }
}

/// All memory of one session, by the numbers that requests use.
#[derive(Default)]
pub struct Buffers(Vec<Option<Rc<Attached>>>);

impl Buffers {
    /// Takes memory up; gives its number.
    pub fn add(&mut self, object: MemoryObjectClient) -> Result<(u16, Rc<Attached>), CallError> {
        let number = self.0.iter().position(Option::is_none).unwrap_or(self.0.len());
        if number >= MOST {
            return Err(CallError::Exception(ExceptionCode::BudgetExhausted.into()));
        }
        let attached = Rc::new(Attached::new(object)?);
        match self.0.get_mut(number) {
            Some(place) => *place = Some(Rc::clone(&attached)),
            None => self.0.push(Some(Rc::clone(&attached))),
        }
        Ok((number as u16, attached))
    }

    /// No request may name it any more. False when there is none.
    pub fn remove(&mut self, number: u16) -> bool {
        self.0.get_mut(usize::from(number)).and_then(Option::take).is_some()
    }

    /// The memory of that number.
    #[inline]
    pub fn get(&self, number: u16) -> Option<&Rc<Attached>> {
        self.0.get(usize::from(number))?.as_ref()
    }

    /// All of it.
    pub fn iter(&self) -> impl Iterator<Item = &Rc<Attached>> {
        self.0.iter().flatten()
    }
}
