//! Who signs the certificates of test servers, which no machine trusts unless it is told to.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
use tokio::process::Command;
use tokio_rustls::rustls::ServerConfig;

/// A certificate of its own for these hosts, which nobody trusts: for clients that do not ask.
///
/// # Panics
/// When a host is neither a name nor an address.
#[must_use]
pub fn self_signed(hosts: &[&str]) -> ServerConfig {
    let key = KeyPair::generate().expect("there is randomness for a key");
    let leaf = params(hosts).self_signed(&key).expect("the parameters are valid");
    serve(&leaf, key)
}

/// An authority, and the file that holds its own certificate: on Linux the native client trusts what the
/// environment variable `SSL_CERT_FILE` names.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: PathBuf,
}

impl Authority {
    /// A new one whose file is in this folder and stays as long as the authority.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn below(folder: impl AsRef<Path>, name: &str) -> Self {
        Self::at(folder.as_ref().join(format!("{name}-{}.pem", std::process::id())))
    }

    /// As [`Self::below`], with this file.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn at(file: PathBuf) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // Two authorities of one name would be told apart by their signatures only.
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        params.distinguished_name.push(DnType::CommonName, name.into_owned());
        let key = KeyPair::generate().expect("there is randomness for a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("the parameters are valid");
        std::fs::write(&file, issuer.pem()).expect("the folder can be written to");
        Self { issuer, file }
    }

    /// The file with its certificate.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What a server for these hosts needs.
    ///
    /// # Panics
    /// When a host is neither a name nor an address.
    #[must_use]
    pub fn certify(&self, hosts: &[&str]) -> ServerConfig {
        let key = KeyPair::generate().expect("there is randomness for a key");
        let leaf = params(hosts).signed_by(&key, &self.issuer).expect("the issuer may sign");
        serve(&leaf, key)
    }
}

/// Acts in a process whose native clients trust an authority, and no other: the environment says whom they
/// trust, and that belongs to the whole process. So this starts the program once more, which is a test, with
/// that environment and nothing to run but the test of this name. Its file is in this folder.
///
/// # Panics
/// When the other process fails, or did not run the test.
pub async fn trusting(folder: &str, test: &str, act: impl AsyncFnOnce(Authority)) {
    match (std::env::var_os(ACTS), std::env::var_os(TRUSTED)) {
        (Some(acts), Some(file)) if acts == *test => act(Authority::at(file.into())).await,
        _ => act_elsewhere(folder, test).await,
    }
}

async fn act_elsewhere(folder: &str, test: &str) {
    let this = std::env::current_exe().expect("a test is a program");
    let file = format!("{}-{}.pem", test.replace("::", "-"), std::process::id());
    let mut command = Command::new(this);
    command.args([test, "--exact", "--nocapture"]);
    command.env(ACTS, test).env(TRUSTED, Path::new(folder).join(file));
    let output = command.kill_on_drop(true).output().await.expect("this program can be started");
    let said = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complaints}");
    assert!(said.contains("1 passed"), "{test} did not run: {said}");
}

/// Names the test that a process is for.
const ACTS: &str = "BOWLINE_ACTS";
/// Names the file of the authority that the clients of a process trust.
const TRUSTED: &str = "SSL_CERT_FILE";

fn params(hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    CertificateParams::new(hosts).expect("hosts are names or addresses")
}

fn serve(leaf: &Certificate, key: KeyPair) -> ServerConfig {
    let config = ServerConfig::builder().with_no_client_auth();
    let served = config.with_single_cert(vec![leaf.der().clone()], key.into());
    served.expect("the key is the certificate's")
}

impl Drop for Authority {
    fn drop(&mut self) {
        // One that stays is only a small file below the build.
        let _ = std::fs::remove_file(&self.file);
    }
}
