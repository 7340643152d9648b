//! Numbers that JavaScript defines and the engine uses. A missing number is a compile error.

/// Defines constants from a file of JavaScript, without their signs.
macro_rules! from_file {
    ($file:literal: $($name:ident)*) => {
        $(pub(super) const $name: u32 = crate::npm::numbers::after(
            include_bytes!($file),
            concat!("\nexport const ", stringify!($name), " = ").as_bytes(),
        );)*
    };
}

pub(super) use from_file;

/// The number after this text, without its sign.
pub(super) const fn after(text: &[u8], words: &[u8]) -> u32 {
    let (mut at, mut matched) = (0, 0);
    while matched < words.len() {
        matched =
            if text[at] == words[matched] { matched + 1 } else { (text[at] == words[0]) as usize };
        at += 1;
    }
    if text[at] == b'-' {
        at += 1;
    }
    let mut number = 0;
    while text[at].is_ascii_digit() {
        number = number * 10 + (text[at] - b'0') as u32;
        at += 1;
    }
    number
}
