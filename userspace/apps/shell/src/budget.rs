//! What a program that the shell starts may use, out of the shell's own budget.

use crate::trouble::Trouble;
use alloc::format;
use alloc::string::String;
use capos_text::{pages, size};
use rt::abi::PAGE_SIZE;
use rt::schema::process_spawner::CreateParams;

/// The usual.
const USUAL: CreateParams<'static> = CreateParams {
    size: 0,
    memory_pages: 512,
    cap_slots: 64,
    threads: 4,
    calls_in_flight: 64,
    endpoint_entries: 64,
    log_bytes: 16_384,
    priority: 10,
    cpu_percent: 0,
    dma_pages: 0,
    vectors: 0,
    name: "",
};

/// How a word for a budget begins.
pub const WORD: &str = "mem=";

/// So much memory, and in proportion to it everything else: a program that starts programs needs more of all.
#[derive(Clone, Copy)]
pub struct Budget(CreateParams<'static>);

impl Default for Budget {
    fn default() -> Self {
        Budget(USUAL)
    }
}

impl Budget {
    /// Takes the budget from the front of the words behind `run`.
    pub fn split(words: &[String]) -> Result<(Budget, &[String]), Trouble> {
        match words.split_first() {
            Some((word, rest)) if word.starts_with(WORD) => Ok((Budget::parse(word)?, rest)),
            _ => Ok((Budget::default(), words)),
        }
    }

    fn parse(word: &str) -> Result<Budget, Trouble> {
        let text = word.strip_prefix(WORD).unwrap_or(word);
        let (digits, unit) = match text.char_indices().last() {
            Some((at, 'K' | 'k')) => (text.get(..at), 10),
            Some((at, 'M' | 'm')) => (text.get(..at), 20),
            Some((at, 'G' | 'g')) => (text.get(..at), 30),
            _ => (None, 0),
        };
        let bytes = digits.and_then(|digits| digits.parse::<u64>().ok()?.checked_mul(1 << unit));
        let pages = bytes.and_then(|bytes| u32::try_from(bytes.div_ceil(PAGE_SIZE as u64)).ok());
        match pages {
            Some(pages @ 1..) => Ok(Budget::of(pages)),
            _ => Err(Trouble::Say(format!("`{word}`: write a size as in {WORD}512K or {WORD}8M"))),
        }
    }

    fn of(memory_pages: u32) -> Budget {
        let times = (memory_pages / USUAL.memory_pages).max(1);
        let more = |usual: u32| usual.saturating_mul(times);
        Budget(CreateParams {
            memory_pages,
            cap_slots: more(USUAL.cap_slots),
            threads: more(USUAL.threads),
            calls_in_flight: more(USUAL.calls_in_flight),
            endpoint_entries: more(USUAL.endpoint_entries),
            log_bytes: more(USUAL.log_bytes),
            ..USUAL
        })
    }

    /// The words for the kernel, for a program of this name in a file of this size.
    pub fn params<'a>(&self, name: &'a str, size: u64) -> CreateParams<'a> {
        CreateParams { size, name: name.get(..name.floor_char_boundary(31)).unwrap_or(""), ..self.0 }
    }

    /// Why the kernel refused to take this from the shell's budget, and what helps.
    pub fn refused(&self, program: &str) -> Trouble {
        let Budget(asked) = self;
        Trouble::Say(format!(
            "{program} was to get {} of memory, {} capabilities, {} threads, {} calls in flight, {} calls waiting, {} of log. \
             Either that is more than this shell's own budget has left (`ps` shows what it may have, `jobs` what could end), or too little for \
             the program to start at all: `run {WORD}2M {program} ...` gives it more.",
            pages(u64::from(asked.memory_pages)),
            asked.cap_slots,
            asked.threads,
            asked.calls_in_flight,
            asked.endpoint_entries,
            size(u64::from(asked.log_bytes)),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn split(line: &str) -> Result<(u32, u32, usize), String> {
        let words: Vec<String> = line.split_whitespace().map(String::from).collect();
        let (Budget(params), rest) = Budget::split(&words).map_err(|trouble| trouble.to_string())?;
        Ok((params.memory_pages, params.threads, rest.len()))
    }

    #[test]
    fn a_budget_goes_before_the_name() {
        assert_eq!(split("hello mem=1M"), Ok((512, 4, 2)));
        assert_eq!(split("mem=8M hello"), Ok((2048, 16, 1)));
        assert_eq!(split("mem=1m hello"), Ok((256, 4, 1)));
        assert_eq!(split("mem=5K"), Ok((2, 4, 0)));
    }

    #[test]
    fn other_sizes_are_refused() {
        for bad in ["mem=", "mem=M", "mem=0M", "mem=8", "mem=-1M", "mem=99999999999G", "mem=1\u{e9}"] {
            assert!(split(bad).is_err_and(|text| text.contains("512K")), "{bad}");
        }
    }
}
