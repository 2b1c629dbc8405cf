//! Arbitrary bytes over a real socket: nothing crashes, nothing hangs, every journaled message
//! reaches a final state, and the next sender is served.

use crate::chart_site::ChartSite;
use crate::client::{Client, adt, framed};
use store::journal::State;
use tempfile::tempdir;

/// A small generator of numbers, the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(6) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes[at] = self.below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(
                    at,
                    [0x0b, 0x1c, 0x0d, b'|', b'^', b'"', 0, 0xff][self.below(8)],
                ),
                3 => bytes.truncate(at.max(1)),
                _ => {
                    let again: Vec<u8> = bytes[at..].iter().take(40).copied().collect();
                    bytes.splice(at..at, again);
                }
            }
        }
    }
}

#[test]
fn mutated_messages_over_a_socket() {
    let dir = tempdir().unwrap();
    let site = ChartSite::start(dir.path());
    let mut numbers = Numbers(20_240_517);
    for n in 0..150 {
        let mut bytes = framed(
            adt(
                "A01",
                &format!("C{n}"),
                &format!("{}", n % 7),
                "ANNA",
                "20240517120000",
            )
            .as_bytes(),
        );
        numbers.mutate(&mut bytes);
        let mut client = Client::connect(site.address("adt"));
        client.raw_while_open(&bytes);
        client.half_close();
        // Whatever the answer, the connection ends.
        while client.answer().is_some() {}
    }
    assert_eq!(
        site.send("adt", &adt("A01", "LAST", "99", "ANNA", "20240517120000")),
        "AA"
    );
    site.drain();
    let waiting = |site: &ChartSite| -> Vec<_> {
        site.rows()
            .into_iter()
            .filter(|row| row.state == State::Received)
            .collect()
    };
    for _ in 0..200 {
        if waiting(&site).is_empty() {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    panic!("messages still wait: {:?}", waiting(&site));
}
