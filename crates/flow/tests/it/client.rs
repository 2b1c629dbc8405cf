//! A plain MLLP client, and messages to send with it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection.
pub(crate) struct Client {
    stream: TcpStream,
    buf: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub(crate) fn try_connect(address: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self {
            stream,
            buf: Vec::new(),
        })
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Sends as much as the peer accepts before it closes.
    pub(crate) fn raw_while_open(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(64 << 10) {
            if self.stream.write_all(chunk).is_err() {
                return;
            }
        }
    }

    /// Sends as much as the peer accepts before a write blocks for this long.
    pub(crate) fn raw_briefly(&mut self, bytes: &[u8], patience: Duration) {
        self.stream.set_write_timeout(Some(patience)).unwrap();
        self.raw_while_open(bytes);
    }

    pub(crate) fn post(&mut self, message: &str) {
        self.raw(&framed(message.as_bytes()));
    }

    pub(crate) fn try_post(&mut self, message: &str) -> bool {
        self.stream.write_all(&framed(message.as_bytes())).is_ok()
    }

    /// Returns the next acknowledgement; none where the peer closed.
    pub(crate) fn answer(&mut self) -> Option<String> {
        let mut searched = 0;
        loop {
            let mut pairs = self.buf[searched..].windows(2);
            if let Some(end) = pairs.position(|pair| pair == [0x1c, 0x0d]) {
                let end = searched + end;
                let frame: Vec<u8> = self.buf.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&frame[1..end]).into_owned());
            }
            searched = self.buf.len().saturating_sub(1);
            let mut chunk = [0; 4096];
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n_bytes) => self.buf.extend_from_slice(&chunk[..n_bytes]),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    panic!("no answer in time")
                }
                Err(_) => return None,
            }
        }
    }

    /// Sends a message and returns MSA-1 of its acknowledgement.
    pub(crate) fn send(&mut self, message: &str) -> String {
        self.post(message);
        msa1(&self.answer().expect("an acknowledgement"))
    }

    pub(crate) fn half_close(&self) {
        self.stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

pub(crate) fn framed(bytes: &[u8]) -> Vec<u8> {
    [b"\x0b".as_slice(), bytes, b"\x1c\r"].concat()
}

/// Returns a field of an acknowledgement: `field(ack, "MSA", 1)`.
pub(crate) fn field(message: &str, segment: &str, n: usize) -> String {
    let line = message.split('\r').find(|line| line.starts_with(segment));
    line.and_then(|line| {
        line.split('|')
            .nth(if segment == "MSH" { n - 1 } else { n })
    })
    .unwrap_or("")
    .to_owned()
}

pub(crate) fn msa1(ack: &str) -> String {
    field(ack, "MSA", 1)
}

/// Builds an admission or update of a synthetic patient.
pub(crate) fn adt(event: &str, control: &str, patient: &str, given: &str, at: &str) -> String {
    format!(
        "MSH|^~\\&|REG|ZZHOSP|CW|ZZ|{at}||ADT^{event}^ADT_A01|{control}|P|2.5.1\r\
         EVN|{event}|{at}\r\
         PID|1||{patient}^^^ZZHOSP^MR||TESTPATIENT^{given}||19800102|F|||1 TEST ST^^ZZTOWN^IL^60601\r\
         PV1|1|I|W1^101^A|||||||||||||||V{patient}^^^ZZHOSP^VN\r"
    )
}
