//! Real proxies as plain processes, each with a configuration from the repository.

use std::fs::Permissions;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};

use crate::scenario::Middlebox;

/// A proxy that runs until it is dropped, in a folder of its own.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    folder: PathBuf,
}

impl Running {
    /// Starts it in front of these ports of 127.0.0.1.
    pub(crate) async fn start(
        middlebox: Middlebox,
        configs: &Path,
        servers: &[u16],
    ) -> Result<Self, String> {
        let port = free_port().await?;
        let address: SocketAddr = ([127, 0, 0, 1], port).into();
        let folder = std::env::temp_dir().join(format!("bowline-{}-{port}", middlebox.program));
        let config = configure(middlebox, configs, port, servers, &folder)?;
        let child = command(middlebox.program, &config, &folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", middlebox.program))?;
        let mut running = Self { child, address, folder };
        running.wait().await?;
        Ok(running)
    }

    /// The certificate of the authority that signed its own.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    async fn wait(&mut self) -> Result<(), String> {
        for _ in 0..200 {
            if TcpStream::connect(self.address).await.is_ok() {
                return Ok(());
            }
            if let Ok(Some(status)) = self.child.try_wait() {
                let folder = self.folder.display();
                return Err(format!(
                    "it ended at once ({status}); keep {folder} with BOWLINE_KEEP=1"
                ));
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        Err("it takes no connections".to_owned())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        forget_shared_memory(&self.folder);
        if std::env::var_os("BOWLINE_KEEP").is_none() {
            // What stays is small.
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// True if the program can be started.
pub(crate) fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let known = std::env::split_paths(&paths).chain(["/usr/sbin".into(), "/sbin".into()]);
    known.into_iter().any(|folder| folder.join(program).exists())
}

/// Writes the configuration, with ports and paths in place of their names, and what it needs.
fn configure(
    middlebox: Middlebox,
    configs: &Path,
    port: u16,
    servers: &[u16],
    folder: &Path,
) -> Result<PathBuf, String> {
    let source = configs.join(middlebox.program).join(middlebox.config);
    let failed = |error: std::io::Error| format!("{}: {error}", source.display());
    let text = std::fs::read_to_string(&source).map_err(failed)?;
    std::fs::create_dir_all(folder).map_err(failed)?;
    let path = folder.to_str().ok_or("the folder's name is not UTF-8")?;
    let first = servers.first().copied().unwrap_or(0);
    let second = servers.get(1).copied().unwrap_or(first);
    let text = text
        .replace("@LISTEN@", &port.to_string())
        .replace("@SERVER@", &first.to_string())
        .replace("@OTHER@", &second.to_string())
        .replace("@FOLDER@", path);
    certify(folder)?;
    // Some programs give up being root, and write here as somebody else.
    std::fs::set_permissions(folder, Permissions::from_mode(0o777)).map_err(failed)?;
    let config = folder.join(middlebox.config);
    std::fs::write(&config, text).map_err(failed)?;
    Ok(config)
}

/// An authority and a certificate for this machine, signed by it.
fn certify(folder: &Path) -> Result<(), String> {
    let certificate = || -> Result<(String, String, String), rcgen::Error> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Bowline's networks");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let leaf = CertificateParams::new(hosts)?.signed_by(&key, &issuer)?;
        Ok((issuer.pem(), leaf.pem(), key.serialize_pem()))
    };
    let (authority, leaf, key) = certificate().map_err(|error| error.to_string())?;
    let both = format!("{leaf}{key}");
    for (name, text) in
        [("ca.pem", &authority), ("cert.pem", &leaf), ("key.pem", &key), ("both.pem", &both)]
    {
        std::fs::write(folder.join(name), text).map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Letters and digits only.
fn squid_name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// What Squid keeps elsewhere.
fn forget_shared_memory(folder: &Path) {
    let name = squid_name(folder);
    let Ok(shared) = std::fs::read_dir("/dev/shm") else { return };
    for file in shared.flatten() {
        if file.file_name().to_string_lossy().starts_with(&name) {
            // Another user's is not ours.
            let _ = std::fs::remove_file(file.path());
        }
    }
}

fn command(program: &str, config: &Path, folder: &Path) -> Command {
    let mut command = Command::new(program);
    // Debian keeps such programs where not every user looks.
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin")).current_dir(folder);
    match program {
        "nginx" => command.arg("-c").arg(config).arg("-p").arg(folder),
        "haproxy" => command.arg("-db").arg("-f").arg(config),
        // Without a name of its own it shares memory with every other one.
        "squid" => command.arg("-N").arg("-n").arg(squid_name(folder)).arg("-f").arg(config),
        "tinyproxy" => command.arg("-d").arg("-c").arg(config),
        "caddy" => command
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(config)
            .env("XDG_DATA_HOME", folder)
            .env("XDG_CONFIG_HOME", folder)
            .env("HOME", folder),
        _ => command.arg(config),
    };
    command
}

pub(crate) async fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind("127.0.0.1:0").await.and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).map_err(|error| error.to_string())
}
