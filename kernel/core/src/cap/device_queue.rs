//! `DeviceQueue`: a ring of descriptors.

use super::memory_object::MemoryObject;
use super::{Call, Object, Outcome};
use crate::device::function::Function;
use crate::device::queue::Done;
use capos_schema::device_queue::{CompletionResults, InfoResults, PublishResults, SubmissionResults};
use kernel_hal::sync::Ref;

/// One queue of a generation of a function.
#[derive(Clone)]
pub(crate) struct DeviceQueue {
    function: Ref<Function>,
    generation: u32,
    index: u16,
}

impl DeviceQueue {
    /// Queue `index` of generation `generation`.
    pub fn new(function: &Ref<Function>, generation: u32, index: u16) -> Self {
        DeviceQueue { function: function.clone(), generation, index }
    }

    /// Whose it is: bus << 8 | device << 3 | function.
    pub fn address(&self) -> u32 {
        self.function.address()
    }

    pub(super) fn info(&self, call: &mut Call<'_>) -> Outcome {
        match self.function.shape(self.generation, self.index) {
            Ok(shape) => {
                let bell = shape.bell.map(|bell| (bell.register, bell.value));
                let (register, value) = bell.unzip();
                call.reply(&InfoResults {
                    entries: shape.entries,
                    submission_size: shape.submission as u32,
                    completion_size: shape.completion as u32,
                    direct: register.is_some(),
                    bell_bar: register.map_or(0, |register| register.bar),
                    bell_width: register.map_or(0, |register| register.width),
                    bell_offset: register.map_or(0, |register| register.offset),
                    bell_value: value.unwrap_or(0),
                    token: shape.token,
                })
            }
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn submission(&self, call: &mut Call<'_>) -> Outcome {
        match self.function.submission(self.generation, self.index) {
            Ok((frames, pages)) => call.reply_with_facet(
                Object::MemoryObject(MemoryObject::part_of(frames, pages)),
                &SubmissionResults,
            ),
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn completion(&self, call: &mut Call<'_>) -> Outcome {
        match self.function.completion(self.generation, self.index) {
            Ok((frames, first, pages)) => {
                let object = MemoryObject::read_only_part(frames, first, pages);
                call.reply_with_facet(Object::MemoryObject(object), &CompletionResults)
            }
            Err(refused) => Outcome::exception(refused),
        }
    }

    pub(super) fn publish(&self, call: &mut Call<'_>) -> Outcome {
        match self.function.publish(self.generation, self.index) {
            Ok(Done { published, completed, more, .. }) => {
                call.reply(&PublishResults { published, completed, more })
            }
            Err(refused) => Outcome::exception(refused),
        }
    }
}
