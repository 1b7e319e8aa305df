//! A table of registers against a policy for every byte by itself.

use super::Input;
use crate::pool::PAGE;
use crate::window::{Access, Action, Backend, Mapping, Range, Table, Widths};
use alloc::vec;
use alloc::vec::Vec;

/// Some ranges, then accesses and pages.
pub fn play(bytes: &[u8]) {
    let mut input = Input(bytes);
    let length = match input.below(3) {
        0 => u64::from(input.byte()),
        1 => 2 * PAGE + u64::from(input.byte()),
        _ => 3 * PAGE,
    };
    let mut table = Table::new(length);
    let mut policy: Vec<Option<Range>> = vec![None; length as usize];
    while !input.is_empty() {
        match input.byte() & 3 {
            0 => add(&mut table, &mut policy, &mut input),
            1 | 2 => access(&table, &policy, &mut input),
            _ => map(&table, &policy, &mut input),
        }
    }
    assert!(table.ranges().is_sorted_by_key(|it| it.first));
}

/// Near the begin of a page, most of the time.
fn place(input: &mut Input<'_>) -> u64 {
    match input.byte() & 7 {
        0 => input.word(),
        1 => PAGE + u64::from(input.byte()),
        2 => PAGE * input.below(4) as u64,
        3 => (2 * PAGE).wrapping_sub(input.byte().into()),
        _ => u64::from(input.byte()),
    }
}

fn add(table: &mut Table, policy: &mut [Option<Range>], input: &mut Input<'_>) {
    let access = match input.below(9) {
        0 => Access::ReadOnly,
        1 => Access::Doorbell,
        2 => Access::Forbidden,
        3 => Access::Guarded,
        4 => Access::Masked { writable: input.word(), fixed: input.word() },
        5 => Access::AddressToken { span: input.word() },
        _ => Access::ReadWrite,
    };
    let shape = input.byte();
    let mut range = Range { first: place(input), length: place(input), widths: Widths(shape >> 4), access };
    if shape & 3 != 0 {
        // A whole register.
        let width = 1 << (shape >> 2 & 3);
        range =
            Range { first: range.first & !(width - 1), length: width, widths: Widths(width as u8), access };
    }
    let bytes = range
        .first
        .checked_add(range.length)
        .and_then(|end| policy.get_mut(usize::try_from(range.first).ok()?..usize::try_from(end).ok()?));
    let bytes = bytes.filter(|it| !it.is_empty() && it.iter().all(Option::is_none));
    if table.add(range).is_ok() {
        bytes.expect("free, and within the window").fill(Some(range));
    }
}

fn access(table: &Table, policy: &[Option<Range>], input: &mut Input<'_>) {
    let (offset, width, value) = (place(input), input.byte() & 15, input.word());
    let offset = if input.byte() & 3 == 0 { offset } else { offset & !7 };
    let bytes = offset.checked_add(width.into()).and_then(|end| policy.get(offset as usize..end as usize));
    let first = bytes.and_then(|it| it.first().copied().flatten());
    let one = first.filter(|first| bytes.is_some_and(|it| it.iter().all(|other| *other == Some(*first))));
    let is_sound = [1, 2, 4, 8].contains(&width) && offset % u64::from(width) == 0;
    let right = one.filter(|it| is_sound && it.widths.0 & width != 0).map(|it| it.access);
    let may_read =
        matches!(right, Some(Access::ReadOnly | Access::ReadWrite | Access::Masked { .. } | Access::Guarded));
    assert_eq!(table.check_read(offset, width).is_ok(), may_read);
    for backend in [Backend::Bounce, Backend::Direct] {
        let outcome = table.check_write(backend, offset, width, value).ok();
        let all = if width < 8 { (1 << (8 * width)) - 1 } else { u64::MAX };
        let wanted = match right {
            Some(Access::ReadWrite) => Some(Action::Write(value & all)),
            Some(Access::Masked { writable, fixed }) => {
                Some(Action::Write((value & writable | fixed & !writable) & all))
            }
            Some(Access::AddressToken { span }) if backend == Backend::Direct => {
                Some(Action::Translate { token: value & all, span })
            }
            Some(Access::Doorbell) if backend == Backend::Direct => Some(Action::Write(value & all)),
            Some(Access::Guarded) => Some(Action::Ask(value & all)),
            _ => None,
        };
        assert_eq!(outcome, wanted);
    }
}

fn map(table: &Table, policy: &[Option<Range>], input: &mut Input<'_>) {
    let offset = if input.byte() & 7 == 0 { place(input) } else { PAGE * input.below(4) as u64 };
    let start = place(input);
    let hidden = [start..start.saturating_add(input.byte().into()), 0..0];
    let page = offset.checked_add(PAGE).and_then(|end| policy.get(offset as usize..end as usize));
    for backend in [Backend::Bounce, Backend::Direct] {
        let mapping = table.mapping(backend, offset, &hidden);
        if mapping == Mapping::No {
            continue;
        }
        let page = page.filter(|_| offset.is_multiple_of(PAGE)).expect("a whole page");
        for (at, byte) in (offset..).zip(page) {
            assert!(hidden.iter().all(|it| !it.contains(&at)), "byte {at:#x} is hidden");
            match byte.map(|it| it.access) {
                Some(Access::ReadWrite) => {}
                Some(Access::Doorbell) => assert_eq!(backend, Backend::Direct),
                Some(Access::ReadOnly) => assert_eq!(mapping, Mapping::ReadOnly),
                other => panic!("{other:?} is mapped at {at:#x}"),
            }
        }
    }
}
