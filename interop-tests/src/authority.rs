//! Who signs the certificates of test servers, which no machine trusts unless it is told to.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair,
};
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
