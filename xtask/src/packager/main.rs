//! The part of `cargo xtask wasm` that needs other crates: `packager MODULE FOLDER` writes the
//! JavaScript beside a module of the browser client, the close codes as JavaScript, and whose code
//! it is. `packager --app MODULE FOLDER` writes what a page imports as `app.js`, beside the module
//! of an application in Rust.

mod licences;

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bowline_protocol::{CloseCode, Retry};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match &words[..] {
        [mode, module, folder] if mode == "--app" => bind_app(module, Path::new(folder)),
        [module, folder] => write_package(module, Path::new(folder)),
        _ => Err("packager [--app] MODULE FOLDER".into()),
    }
}

/// Leaves `app.js` and the module that it loads.
fn bind_app(module: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("app").web(true)?.omit_default_module_path(false);
    bindgen.typescript(false).generate(folder)?;
    Ok(())
}

fn write_package(module: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    bind(module, folder)?;
    fs::write(folder.join("close-codes.js"), script(CloseCode::ALL))?;
    fs::write(folder.join("close-codes.d.ts"), declarations(CloseCode::ALL))?;
    fs::write(folder.join("THIRD-PARTY.txt"), licences::notices()?)?;
    Ok(())
}

/// Leaves `bowline.wasm`; a function that yields the same bytes in `embedded.js`; in
/// `bowline_bg.js` the functions that it imports and those that call it; in `bowline_wasm.js` what
/// it takes to make an instance.
fn bind(module: &str, folder: &Path) -> Result<(), Box<dyn Error>> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name("bowline").bundler(true)?;
    bindgen.typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(folder)?;
    // It imports the module as only bundlers can. The package loads it by itself.
    fs::remove_file(folder.join("bowline.js"))?;
    let module = folder.join("bowline.wasm");
    fs::rename(folder.join("bowline_bg.wasm"), &module)?;
    let inline = INLINE.replace("TEXT", &base64(&fs::read(module)?));
    fs::write(folder.join("embedded.js"), inline)?;
    fs::write(folder.join("bowline_wasm.js"), INSTANCE)?;
    Ok(())
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    let digit = |bits: u32, index| char::from(DIGITS[(bits >> (18 - 6 * index) & 63) as usize]);
    let group = |chunk: &[u8]| {
        let bits = chunk.iter().zip([16, 8, 0]).map(|(byte, shift)| u32::from(*byte) << shift);
        let bits = bits.sum();
        [0, 1, 2, 3].map(|index| if index > chunk.len() { '=' } else { digit(bits, index) })
    };
    bytes.chunks(3).flat_map(group).collect()
}

fn script(codes: &[CloseCode]) -> String {
    let mut text = String::from("export const CloseCode = Object.freeze({\n");
    for (name, code) in named(codes) {
        writeln!(text, "  {name}: {},", code.get()).expect("a string takes everything");
    }
    text + "});\n"
}

fn declarations(codes: &[CloseCode]) -> String {
    let mut text = String::from(HEAD);
    for (name, code) in named(codes) {
        let (meaning, next, number) = (code.meaning(), next(code.retry()), code.get());
        write!(text, "  /** {meaning}: {next} */\n  readonly {name}: {number};\n")
            .expect("a string takes everything");
    }
    text + TAIL
}

fn named(codes: &[CloseCode]) -> impl Iterator<Item = (&'static str, CloseCode)> {
    codes.iter().map(|code| (code.name().expect("the registry names its codes"), *code))
}

/// What the client does by itself.
fn next(retry: Retry) -> &'static str {
    match retry {
        Retry::Attach => "the client attaches again, nothing is lost.",
        Retry::Reopen => "the session is lost, and the client opens a new one unless told to stop.",
        Retry::Later => "the client comes back when the server said.",
        Retry::Stop => "the end, the client does not come back by itself.",
        Retry::Ignore => "another connection serves the session.",
        _ => unreachable!("a class that this file does not know yet"),
    }
}

const INSTANCE: &str = r#"import * as glue from "./bowline_bg.js";

export const imports = { "./bowline_bg.js": glue };
export const start = (exports) => {
  glue.__wbg_set_wasm(exports);
  exports.__wbindgen_start?.();
};
"#;

const INLINE: &str = r#"const text = "TEXT";
export default () => Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
"#;

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const HEAD: &str = "\
/** Why a session or one of its connections ended. Codes from 4500 to 4999 are the application's \
own. */
export declare const CloseCode: {
";

const TAIL: &str = "\
};

/** One of the protocol's own codes. */
export type CloseCode = (typeof CloseCode)[keyof typeof CloseCode];
";

#[cfg(test)]
mod tests {
    use super::base64;

    #[test]
    fn the_examples_of_the_standard_are_encoded() {
        let encoded =
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(encoded, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
