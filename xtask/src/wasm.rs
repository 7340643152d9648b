//! What has to build for browsers: the protocol, which may import nothing, and the client's engine.

use std::path::Path;

use crate::run;

/// The target of browsers.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Builds both, and reads the imports of the protocol's module.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let target = ["--target", TARGET, "--target-dir", "target/wasm"];
    let client = ["build", "--quiet", "--package", "bowline-client-wasm"];
    run::cargo(root, &[&client[..], &target].concat())?;
    let protocol = ["rustc", "--quiet", "--release", "--package", "bowline-protocol", "--lib"];
    run::cargo(root, &[&protocol[..], &target, &["--crate-type", "cdylib"]].concat())?;
    let path = root.join("target/wasm").join(TARGET).join("release/bowline_protocol.wasm");
    let module = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    match imports(&module).ok_or("the module cannot be read")? {
        0 => Ok(()),
        number => {
            Err(format!("the protocol's module imports {number} functions; it may need none"))
        }
    }
}

/// How many imports a module has. Section 2 lists them (WebAssembly core specification 5.5.5).
fn imports(module: &[u8]) -> Option<u64> {
    let mut rest = module.strip_prefix(b"\0asm\x01\0\0\0")?;
    while let Some((&section, after)) = rest.split_first() {
        rest = after;
        let size = usize::try_from(number(&mut rest)?).ok()?;
        let (mut content, next) = rest.split_at_checked(size)?;
        if section == 2 {
            return number(&mut content);
        }
        rest = next;
    }
    Some(0)
}

/// An unsigned LEB128 number.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::imports;

    #[test]
    fn imports_are_counted() {
        let module = |sections: &[u8]| [b"\0asm\x01\0\0\0", sections].concat();
        assert_eq!(imports(&module(&[])), Some(0));
        let types = [1, 4, 1, 0x60, 0, 0];
        let import = [2, 7, 1, 1, b'e', 1, b'f', 0, 0];
        assert_eq!(imports(&module(&[&types[..], &import].concat())), Some(1));
        assert_eq!(imports(&module(&types)), Some(0));
        assert_eq!(imports(b"not a module"), None);
        assert_eq!(imports(&module(&[2, 200])), None);
    }
}
