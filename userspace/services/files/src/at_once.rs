//! Reading what is in memory: it is answered where the call came, without a task.

use crate::server::Server;
use crate::thing::{Bytes, Thing};
use kit::memory::INLINE;
use rt::Request;
use rt::schema::{Decode as _, Encode as _, blob, file};

/// What is wanted.
enum Wanted {
    /// Bytes in the answer.
    Here { offset: u64, length: u32 },
    /// Bytes in the attached memory.
    There { offset: u64, at: u64, length: u32 },
}

impl Server {
    /// Answers if that is about bytes that are in memory; else gives the request back.
    pub fn read_at_once(&self, request: Request) -> Option<Request> {
        let (bytes, wanted) = match self.facets.find(request.context().badge()) {
            Ok(Some(Thing::File(bytes))) => (bytes, wanted(&request, file::READ, file::READ_INTO)),
            Ok(Some(Thing::Blob(bytes))) => (bytes, wanted(&request, blob::READ, blob::READ_INTO)),
            _ => return Some(request),
        };
        match wanted {
            Some(Wanted::Here { offset, length }) => self.read(&bytes, offset, length, request),
            Some(Wanted::There { offset, at, length }) => self.read_into(&bytes, offset, at, length, request),
            None => Some(request),
        }
    }

    fn read(&self, bytes: &Bytes, offset: u64, length: u32, request: Request) -> Option<Request> {
        let mut request = Some(request);
        self.look(bytes, offset, length.min(INLINE), |data| {
            if let Some(request) = request.take() {
                request.reply(|out| file::ReadResults { data }.encode(out), &[]);
            }
        });
        request
    }

    fn read_into(
        &self,
        bytes: &Bytes,
        offset: u64,
        at: u64,
        length: u32,
        request: Request,
    ) -> Option<Request> {
        let put = self.look(bytes, offset, length, |data| {
            // Whether all of what was asked for would fit is for who answers in words.
            let fits = data.len() as u64 == u64::from(length) && bytes.memory.put(at, data).is_ok();
            fits.then_some(data.len() as u32)
        });
        let Some(length) = put.flatten() else { return Some(request) };
        request.reply(|out| file::ReadIntoResults { length }.encode(out), &[]);
        None
    }

    fn look<T>(&self, bytes: &Bytes, offset: u64, length: u32, look: impl FnOnce(&[u8]) -> T) -> Option<T> {
        match &*self.files.borrow() {
            Some(Ok(files)) if bytes.at.is_none() => files.read_here(bytes.id, offset, length as usize, look),
            _ => None,
        }
    }
}

/// The parameters of those calls are the same for files and blobs.
fn wanted(request: &Request, read: u16, read_into: u16) -> Option<Wanted> {
    if request.method() == read {
        let params = file::ReadParams::decode(request.bytes()).ok()?;
        return Some(Wanted::Here { offset: params.offset, length: params.length });
    }
    if request.method() == read_into {
        let file::ReadIntoParams { offset, at, length } =
            file::ReadIntoParams::decode(request.bytes()).ok()?;
        return Some(Wanted::There { offset, at, length });
    }
    None
}
