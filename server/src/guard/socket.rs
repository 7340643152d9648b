//! Deadlines of the operating system: for writing, and for a peer that is gone.

use std::any::Any;
use std::io;
use std::time::Duration;

use actix_web::rt::net::TcpStream;
use socket2::{SockRef, TcpKeepalive};

/// The TCP connection below the one that actix has accepted.
pub(super) fn tcp(io: &dyn Any) -> Option<&TcpStream> {
    io.downcast_ref::<TcpStream>().or_else(|| below_tls(io))
}

#[cfg(feature = "rustls-0_23")]
fn below_tls(io: &dyn Any) -> Option<&TcpStream> {
    type Tls = actix_tls::accept::rustls_0_23::TlsStream<TcpStream>;
    io.downcast_ref::<Tls>().map(|tls| tls.get_ref().0)
}

#[cfg(not(feature = "rustls-0_23"))]
fn below_tls(_: &dyn Any) -> Option<&TcpStream> {
    None
}

/// True for a connection of this machine, whose peer is a program that its owner runs.
#[cfg(unix)]
pub(super) fn is_local(io: &dyn Any) -> bool {
    io.is::<actix_web::rt::net::UnixStream>()
}

#[cfg(not(unix))]
pub(super) fn is_local(_: &dyn Any) -> bool {
    false
}

/// A peer counts as gone if it reads nothing for this long, or does not answer at all.
pub(super) fn set_deadlines(socket: &SockRef<'_>, write: Duration) -> io::Result<()> {
    socket.set_tcp_keepalive(&probes(write))?;
    set_write_deadline(socket, write)
}

/// The first probe is sent after half of the time, then some more: TCP counts in seconds.
fn probes(write: Duration) -> TcpKeepalive {
    let second = Duration::from_secs(1);
    let probes = TcpKeepalive::new().with_time((write / 2).max(second));
    #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows))]
    let probes = probes.with_interval((write / 8).max(second)).with_retries(4);
    probes
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_write_deadline(socket: &SockRef<'_>, write: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(write))
}

/// Other systems do not detect a peer that reads nothing while its system answers probes.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_write_deadline(_: &SockRef<'_>, _: Duration) -> io::Result<()> {
    Ok(())
}
