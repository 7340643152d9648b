//! Numbers that JavaScript defines and the engine uses. What is not there does not compile.

/// Defines constants as a file of JavaScript does; a sign is left out.
macro_rules! from_file {
    ($file:literal: $($name:ident)*) => {
        $(pub(super) const $name: u32 = crate::npm::numbers::after(
            include_bytes!($file),
            concat!("\nexport const ", stringify!($name), " = ").as_bytes(),
        );)*
    };
}

pub(super) use from_file;

/// The number that follows these words, without its sign.
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
