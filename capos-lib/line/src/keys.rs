//! From bytes as a terminal sends them to keys.

/// One key press.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A printable character.
    Char(char),
    /// Control and this small letter: Ctrl-A is `Control('a')`.
    Control(char),
    /// Return.
    Enter,
    /// Tab.
    Tab,
    /// Backspace.
    Backspace,
    /// Delete.
    Delete,
    /// Arrow left.
    Left,
    /// Arrow right.
    Right,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// Home.
    Home,
    /// End.
    End,
    /// Escape followed by this letter, as Alt sends it.
    Alt(char),
    /// A key or a byte that we have no use for.
    Unknown,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Ground,
    Escape,
    /// Inside `ESC [`, with the first number so far.
    Sequence(u16),
    /// Inside `ESC O`.
    Shifted,
    /// Inside a character of several bytes: value so far, bytes that follow.
    Utf8(u32, u8),
}

/// The decoder. Garbage gives [`Key::Unknown`] and never more state than this.
pub struct Keys {
    state: State,
    /// The last key was a carriage return: a line feed right behind it belongs to it.
    returned: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Keys {
    /// Between keys.
    pub const fn new() -> Self {
        Keys { state: State::Ground, returned: false }
    }

    /// Takes one byte; gives the key that it completes, if it does.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        let returned = core::mem::take(&mut self.returned);
        match self.state {
            State::Ground if byte == b'\n' && returned => None,
            State::Ground => self.ground(byte),
            State::Escape => self.escape(byte),
            State::Sequence(number) => self.sequence(number, byte),
            State::Shifted => {
                self.state = State::Ground;
                Some(direction(byte))
            }
            State::Utf8(value, left) => self.continuation(value, left, byte),
        }
    }

    fn ground(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            0x1b => {
                self.state = State::Escape;
                return None;
            }
            b'\r' | b'\n' => {
                self.returned = byte == b'\r';
                Key::Enter
            }
            b'\t' => Key::Tab,
            0x7f | 0x08 => Key::Backspace,
            0x01..=0x1a => Key::Control(char::from(byte + b'a' - 1)),
            0x20..=0x7e => Key::Char(char::from(byte)),
            0xc2..=0xdf => return self.lead(u32::from(byte & 0x1f), 1),
            0xe0..=0xef => return self.lead(u32::from(byte & 0x0f), 2),
            0xf0..=0xf4 => return self.lead(u32::from(byte & 0x07), 3),
            _ => Key::Unknown,
        })
    }

    fn lead(&mut self, value: u32, left: u8) -> Option<Key> {
        self.state = State::Utf8(value, left);
        None
    }

    fn continuation(&mut self, value: u32, left: u8, byte: u8) -> Option<Key> {
        self.state = State::Ground;
        if byte & 0xc0 != 0x80 {
            // Not one of its bytes: what began is garbage, this byte begins anew.
            return self.ground(byte).or(Some(Key::Unknown));
        }
        let value = value << 6 | u32::from(byte & 0x3f);
        if left > 1 {
            return self.lead(value, left - 1);
        }
        Some(char::from_u32(value).map_or(Key::Unknown, Key::Char))
    }

    fn escape(&mut self, byte: u8) -> Option<Key> {
        self.state = State::Ground;
        match byte {
            b'[' => self.state = State::Sequence(0),
            b'O' => self.state = State::Shifted,
            0x1b => self.state = State::Escape,
            b'a'..=b'z' | b'A'..=b'Z' => return Some(Key::Alt(char::from(byte.to_ascii_lowercase()))),
            _ => return Some(Key::Unknown),
        }
        None
    }

    fn sequence(&mut self, number: u16, byte: u8) -> Option<Key> {
        match byte {
            b'0'..=b'9' => {
                self.state =
                    State::Sequence(number.saturating_mul(10).saturating_add(u16::from(byte - b'0')));
                None
            }
            // What follows a semicolon are shift keys, which make no difference to us.
            b';' => None,
            b'~' => {
                self.state = State::Ground;
                Some(numbered(number))
            }
            0x40..=0x7e => {
                self.state = State::Ground;
                Some(direction(byte))
            }
            _ => {
                self.state = State::Ground;
                Some(Key::Unknown)
            }
        }
    }
}

/// The last byte of `ESC [ x` and `ESC O x`.
fn direction(byte: u8) -> Key {
    match byte {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => Key::Unknown,
    }
}

/// `ESC [ n ~`.
fn numbered(number: u16) -> Key {
    match number {
        1 | 7 => Key::Home,
        4 | 8 => Key::End,
        3 => Key::Delete,
        _ => Key::Unknown,
    }
}
