//! Files that are part of the program.

use crate::response::{Body, Media, Response, Status};
use core::fmt;

/// What a browser that has a file is asked for, to know whether it is still the same. It follows from the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Tag(u64);

impl Tag {
    /// FNV-1a: nobody else chooses the bytes, so they have only to differ by chance.
    pub const fn of(bytes: &[u8]) -> Tag {
        let (mut hash, mut rest) = (0xcbf2_9ce4_8422_2325_u64, bytes);
        while let [byte, later @ ..] = rest {
            hash = (hash ^ *byte as u64).wrapping_mul(0x100_0000_01b3);
            rest = later;
        }
        Tag(hash)
    }

    /// Whether a list of `If-None-Match` has it.
    pub fn is_in(self, list: &str) -> bool {
        let mine = alloc::format!("{self}");
        list.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == mine)
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{:016x}\"", self.0)
    }
}

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Where it is asked for.
    pub path: &'static str,
    /// What it is.
    pub media: Media,
    /// What is in it.
    pub bytes: &'static [u8],
    /// Which edition.
    pub tag: Tag,
}

/// A file with its tag.
pub const fn asset(path: &'static str, media: Media, bytes: &'static [u8]) -> Asset {
    Asset { path, media, bytes, tag: Tag::of(bytes) }
}

impl Asset {
    /// The file, or that the browser has it already.
    pub fn answer(&self, if_none_match: Option<&str>) -> Response {
        if if_none_match.is_some_and(|list| self.tag.is_in(list)) {
            return Response::empty(Status::NotModified).tagged(self.tag);
        }
        Response::new(Status::Ok, self.media, Body::Fixed(self.bytes)).tagged(self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_gets_nothing() {
        let file = asset("/x", Media::Css, b"body{}");
        let tag = alloc::format!("{}", file.tag);
        assert_eq!(file.answer(None).status(), Status::Ok);
        for list in [tag.clone(), alloc::format!("\"a\", W/{tag}"), "*".into()] {
            assert_eq!(file.answer(Some(&list)).status(), Status::NotModified, "{list}");
        }
        assert_eq!(file.answer(Some("\"a\"")).status(), Status::Ok);
        assert_ne!(file.tag, Tag::of(b"body{ }"));
    }
}
