//! Sends a message to a syslog server: RFC 5424 over UDP (RFC 5426), TCP with octet counting
//! (RFC 6587) or a local socket.

use serde::Deserialize;
use std::fmt;
use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

/// Facility 13 (log audit), severity 5 (notice): 13 × 8 + 5.
const PRIORITY: u8 = 109;
const TIMEOUT: Duration = Duration::from_secs(10);

/// The address of a syslog server.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub(crate) enum SyslogAddress {
    /// `udp://host:514`
    Udp(String),
    /// `tcp://host:601`
    Tcp(String),
    /// `unix:/dev/log`
    Unix(PathBuf),
}

// === impl SyslogAddress ===

impl SyslogAddress {
    pub(super) fn send(&self, at: &str, text: &str) -> io::Result<()> {
        let message = message(at, text);
        match self {
            Self::Udp(server) => {
                let server = resolve(server)?;
                let any: SocketAddr = if server.is_ipv4() {
                    ([0, 0, 0, 0], 0).into()
                } else {
                    (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
                };
                let socket = UdpSocket::bind(any)?;
                socket.send_to(message.as_bytes(), server).map(drop)
            }
            Self::Tcp(server) => {
                let mut stream = TcpStream::connect_timeout(&resolve(server)?, TIMEOUT)?;
                stream.set_write_timeout(Some(TIMEOUT))?;
                stream.write_all(format!("{} {message}", message.len()).as_bytes())
            }
            Self::Unix(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.send_to(message.as_bytes(), path).map(drop)
            }
        }
    }
}

impl TryFrom<String> for SyslogAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let has_port = |server: &str| {
            server
                .rsplit_once(':')
                .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok())
        };
        match text.split_once(':') {
            Some(("unix", path)) if path.starts_with('/') => Ok(Self::Unix(path.into())),
            Some((scheme, rest)) => match (scheme, rest.strip_prefix("//")) {
                ("udp", Some(server)) if has_port(server) => Ok(Self::Udp(server.to_owned())),
                ("tcp", Some(server)) if has_port(server) => Ok(Self::Tcp(server.to_owned())),
                _ => Err(not_an_address(&text)),
            },
            None => Err(not_an_address(&text)),
        }
    }
}

impl fmt::Display for SyslogAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(server) => write!(f, "udp://{server}"),
            Self::Tcp(server) => write!(f, "tcp://{server}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn not_an_address(text: &str) -> String {
    format!(
        "`{text}` is not a syslog address; write udp://HOST:PORT, tcp://HOST:PORT or unix:/PATH"
    )
}

fn resolve(server: &str) -> io::Result<SocketAddr> {
    let unknown = || {
        io::Error::new(
            io::ErrorKind::NotFound,
            "the syslog server's name does not resolve to an address",
        )
    };
    server.to_socket_addrs()?.next().ok_or_else(unknown)
}

/// Formats a message by RFC 5424, section 6, without structured data, because the text is JSON.
fn message(at: &str, text: &str) -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host: String = host.trim().chars().filter(char::is_ascii_graphic).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let process = std::process::id();
    format!("<{PRIORITY}>1 {at} {host} causeway {process} audit-head - {text}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::TcpListener;

    #[test]
    fn addresses() {
        for (text, good) in [
            ("udp://127.0.0.1:514", true),
            ("tcp://[::1]:601", true),
            ("tcp://logs.example:601", true),
            ("unix:/dev/log", true),
            ("udp://127.0.0.1", false),
            ("http://127.0.0.1:1", false),
            ("unix:relative", false),
            ("", false),
        ] {
            let read = SyslogAddress::try_from(text.to_owned());
            assert_eq!(read.is_ok(), good, "{text}");
            assert!(read.is_err() || read.unwrap().to_string() == text);
        }
    }

    #[test]
    fn each_transport_carries_one_whole_message() {
        let at = "2024-05-17T12:00:00Z";
        let expected = message(at, "{\"position\":1}");
        assert!(expected.starts_with("<109>1 2024-05-17T12:00:00Z "));

        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = SyslogAddress::Udp(udp.local_addr().unwrap().to_string());
        address.send(at, "{\"position\":1}").unwrap();
        let mut buf = [0; 2048];
        let n_read = udp.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n_read], expected.as_bytes());

        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = SyslogAddress::Tcp(tcp.local_addr().unwrap().to_string());
        address.send(at, "{\"position\":1}").unwrap();
        let mut text = String::new();
        tcp.accept().unwrap().0.read_to_string(&mut text).unwrap();
        assert_eq!(text, format!("{} {expected}", expected.len()));

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let unix = UnixDatagram::bind(&path).unwrap();
        SyslogAddress::Unix(path)
            .send(at, "{\"position\":1}")
            .unwrap();
        let n_read = unix.recv(&mut buf).unwrap();
        assert_eq!(&buf[..n_read], expected.as_bytes());
    }
}
