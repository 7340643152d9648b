//! What the compiler says to those who make the usual mistakes. Only our own words are compared:
//! the rest differs between versions of the compiler.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Asserts that these statements do not compile, and that the compiler says all of this.
fn assert_explained(statements: &str, said: &[&str]) {
    let source = format!(
        "use bowline_server::*;\n\
         event! {{ Say = \"say\" to server (String) -> u64; Said = \"said\" to client (String); \
         }}\n\
         pub fn build(builder: BowlineBuilder, socket: Socket) {{ {statements} }}"
    );
    let errors = compile(&source).expect_err("the mistake compiles");
    for words in said {
        assert!(errors.contains(words), "nobody says {words:?}:\n{errors}");
    }
}

/// Compiles a library against the server that this test was built with.
fn compile(source: &str) -> Result<(), String> {
    use std::io::Write as _;

    let folder = std::env::current_exe().expect("a test is a file").with_file_name("");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "-"])
        .arg("--extern")
        .arg(format!("bowline_server={}", newest(&folder).display()))
        .arg("-L")
        .arg(format!("dependency={}", folder.display()))
        .arg("--out-dir")
        .arg(env!("CARGO_TARGET_TMPDIR"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the compiler is there");
    rustc.stdin.take().expect("it is piped").write_all(source.as_bytes()).expect("it reads");
    let output = rustc.wait_with_output().expect("it ends");
    // A long line is broken between words.
    let errors = String::from_utf8_lossy(&output.stderr);
    let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
    if output.status.success() { Ok(()) } else { Err(errors) }
}

/// The library that cargo has built last.
fn newest(folder: &Path) -> PathBuf {
    let files = folder.read_dir().expect("the folder of this test can be read").flatten();
    let ours = files.filter(|file| {
        let name = file.file_name().into_string().unwrap_or_default();
        name.starts_with("libbowline_server-") && name.ends_with(".rlib")
    });
    let newest = ours.max_by_key(|file| file.metadata().and_then(|about| about.modified()).ok());
    newest.expect("this test is built with the server").path()
}

#[test]
fn what_is_right_compiles() {
    let source = "use bowline_server::*;\n\
        pub fn build(builder: BowlineBuilder) {\n\
            builder.on(\"x\", async |_: Socket, name: String| Ok::<_, Failure>(Json(name)));\n\
        }";
    compile(source).unwrap();
}

#[test]
fn a_bare_reply_under_a_string() {
    let says =
        &["this is no handler for a message named by a", "`Result<Json<String>, Failure>`, not"];
    assert_explained(
        "async fn bare(_: Socket, name: String) -> Result<String, Failure> { Ok(name) }\n\
         builder.on(\"x\", bare);",
        says,
    );
}

#[test]
fn a_payload_that_comes_first() {
    assert_explained(
        "async fn first(_: String, _: Socket) {}\nbuilder.on(\"x\", first);",
        &["this is no handler", "an async function whose last argument is the payload"],
    );
}

#[test]
fn a_payload_that_is_missing() {
    assert_explained(
        "async fn missing(_: Socket) {}\nbuilder.on(\"x\", missing);",
        &["this is no handler", "`(): ()` if there is none"],
    );
}

#[test]
fn what_a_hook_cannot_extract() {
    assert_explained(
        "async fn hook(_: Socket, _: u64) {}\nbuilder.on_connect(hook);",
        &["this is no hook that is asked about a request", "implements actix's `FromRequest`"],
    );
    assert_explained(
        "async fn hook(_: Close, _: Socket) {}\nbuilder.on_disconnect(hook);",
        &["this is no disconnect hook", "last, the `Close`"],
    );
}

#[test]
fn an_event_that_goes_the_wrong_way() {
    assert_explained(
        "let _ = socket.emit(Say, &String::new());",
        &["`Say` does not go from the server to clients", "`to client` or `both ways`"],
    );
    assert_explained(
        "builder.on(Said, async |_: String| ());",
        &["`Said` does not go from a client to the server"],
    );
}
