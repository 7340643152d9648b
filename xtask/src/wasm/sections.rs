//! What a module consists of (WebAssembly core specification, 5.5).

/// A function of a module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    /// From the section of names, else its number.
    pub(crate) name: String,
    /// Of its code.
    pub(crate) bytes: usize,
}

/// How many functions, memories, tables and globals a module imports. `None` if it is no module.
pub(crate) fn imports(module: &[u8]) -> Option<usize> {
    sections(module)?.iter().find(|(id, _)| *id == IMPORTS).map_or(Some(0), |(_, content)| {
        let mut content = *content;
        number(&mut content)
    })
}

/// The functions that a module defines. `None` if it cannot be read.
pub(crate) fn functions(module: &[u8]) -> Option<Vec<Function>> {
    let sections = sections(module)?;
    let content =
        |wanted| sections.iter().find(|(id, _)| *id == wanted).map(|(_, content)| *content);
    let imported = content(IMPORTS).map_or(Some(0), imported_functions)?;
    let custom = sections.iter().filter(|(id, _)| *id == CUSTOM);
    let names =
        custom.filter_map(|(_, content)| function_names(content)).next().unwrap_or_default();
    let sizes = content(CODE).map_or(Some(Vec::new()), code_sizes)?;
    let named = sizes.into_iter().enumerate().map(|(index, bytes)| {
        let index = imported + index;
        let name = names.iter().find(|(number, _)| *number == index);
        let name = name.map_or_else(|| format!("function {index}"), |(_, name)| name.clone());
        Function { name, bytes }
    });
    Some(named.collect())
}

/// Number and content of each.
fn sections(module: &[u8]) -> Option<Vec<(u8, &[u8])>> {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0")?;
    let mut sections = Vec::new();
    while let Some((&id, after)) = rest.split_first() {
        rest = after;
        sections.push((id, sized(&mut rest)?));
    }
    Some(sections)
}

/// Of all imports, those that take a function's number.
fn imported_functions(mut content: &[u8]) -> Option<usize> {
    let mut functions = 0;
    for _ in 0..number(&mut content)? {
        sized(&mut content)?;
        sized(&mut content)?;
        match byte(&mut content)? {
            0 => {
                functions += 1;
                number(&mut content)?;
            }
            1 => {
                byte(&mut content)?;
                limits(&mut content)?;
            }
            2 => limits(&mut content)?,
            3 => content = content.get(2..)?,
            _ => return None,
        }
    }
    Some(functions)
}

fn limits(content: &mut &[u8]) -> Option<()> {
    let has_maximum = byte(content)? & 1 == 1;
    number(content)?;
    if has_maximum {
        number(content)?;
    }
    Some(())
}

fn code_sizes(mut content: &[u8]) -> Option<Vec<usize>> {
    (0..number(&mut content)?).map(|_| sized(&mut content).map(<[u8]>::len)).collect()
}

/// Numbers and names, if this is the section called `name`.
fn function_names(mut content: &[u8]) -> Option<Vec<(usize, String)>> {
    if sized(&mut content)? != b"name" {
        return None;
    }
    while byte(&mut content)? != FUNCTION_NAMES {
        sized(&mut content)?;
    }
    let mut map = sized(&mut content)?;
    let count = number(&mut map)?;
    let pair = |_| {
        let index = number(&mut map)?;
        Some((index, String::from_utf8_lossy(sized(&mut map)?).into_owned()))
    };
    (0..count).map(pair).collect()
}

fn byte(bytes: &mut &[u8]) -> Option<u8> {
    let (&first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(first)
}

/// A length and so many bytes.
fn sized<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = number(bytes)?;
    let (content, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(content)
}

/// An unsigned LEB128 number.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = byte(bytes)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return usize::try_from(value).ok();
        }
    }
    None
}

const CUSTOM: u8 = 0;
const IMPORTS: u8 = 2;
const CODE: u8 = 10;
const FUNCTION_NAMES: u8 = 1;

#[cfg(test)]
mod tests {
    use super::{Function, functions, imports};

    fn module(sections: &[&[u8]]) -> Vec<u8> {
        [b"\0asm\x01\0\0\0", &sections.concat()[..]].concat()
    }

    const TYPES: &[u8] = &[1, 4, 1, 0x60, 0, 0];
    const IMPORT: &[u8] = &[2, 7, 1, 1, b'e', 1, b'f', 0, 0];
    const FUNCTIONS: &[u8] = &[3, 3, 2, 0, 0];
    const CODE: &[u8] = &[10, 8, 2, 2, 0, 0x0b, 3, 0, 1, 0x0b];
    const NAMES: &[u8] = &[0, 11, 4, b'n', b'a', b'm', b'e', 1, 4, 1, 2, 1, b'g'];

    #[test]
    fn imports_are_counted() {
        assert_eq!(imports(&module(&[])), Some(0));
        assert_eq!(imports(&module(&[TYPES, IMPORT])), Some(1));
        assert_eq!(imports(&module(&[TYPES])), Some(0));
        assert_eq!(imports(b"not a module"), None);
        assert_eq!(imports(&module(&[&[2, 200]])), None);
    }

    #[test]
    fn functions_have_sizes_and_names() {
        let function = |name: &str, bytes| Function { name: name.to_owned(), bytes };
        let named = module(&[TYPES, IMPORT, FUNCTIONS, CODE, NAMES]);
        assert_eq!(functions(&named), Some(vec![function("function 1", 2), function("g", 3)]));
        let bare = module(&[TYPES, FUNCTIONS, CODE]);
        let expected = vec![function("function 0", 2), function("function 1", 3)];
        assert_eq!(functions(&bare), Some(expected));
    }
}
