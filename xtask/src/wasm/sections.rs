//! What a module consists of (WebAssembly core specification, 5.5).

use std::collections::HashMap;

use wasmparser::{CustomSectionReader, KnownCustom, Name, Naming, Parser, Payload, TypeRef};

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
    let mut imports = 0;
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::ImportSection(section) = payload.ok()? {
            imports += section.into_imports().count();
        }
    }
    Some(imports)
}

/// The functions that a module defines. `None` if it cannot be read.
pub(crate) fn functions(module: &[u8]) -> Option<Vec<Function>> {
    let (mut imported, mut sizes, mut names) = (0, Vec::new(), HashMap::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    imported += usize::from(matches!(import.ok()?.ty, TypeRef::Func(_)));
                }
            }
            Payload::CodeSectionEntry(body) => sizes.push(body.range().len()),
            Payload::CustomSection(custom) => names.extend(function_names(&custom)),
            _ => {}
        }
    }
    let function = |(index, bytes)| {
        let index = imported + index;
        let name = names.get(&index).cloned().unwrap_or_else(|| format!("function {index}"));
        Function { name, bytes }
    };
    Some(sizes.into_iter().enumerate().map(function).collect())
}

/// Numbers and names, if this is the section of names.
fn function_names(custom: &CustomSectionReader<'_>) -> Vec<(usize, String)> {
    let KnownCustom::Name(names) = custom.as_known() else { return Vec::new() };
    let functions = names.filter_map(|name| match name {
        Ok(Name::Function(functions)) => Some(functions),
        _ => None,
    });
    let named = functions.flatten().filter_map(Result::ok);
    named.map(|Naming { index, name }| (index as usize, name.to_owned())).collect()
}

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
