//! Writes the messages of `causeway bench` into files, so that several builds can be given the same bytes.
//!
//! `cargo run -p simulate --example mix -- FOLDER N` writes `adt.hl7` (N messages), `oru.hl7` (N / 4, of 20 results each)
//! and `mix.hl7` (N). Messages stand one after the other, each segment ended by CR.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(folder), Some(Ok(n))) = (args.next(), args.next().map(|n| n.parse::<usize>())) else {
        return Err(std::io::Error::other(
            "give a folder and a number of messages",
        ));
    };
    let folder = Path::new(&folder);
    write(&folder.join("adt.hl7"), simulate::bench::adt(1, n))?;
    write(&folder.join("oru.hl7"), simulate::bench::oru(1, n / 4, 20))?;
    write(&folder.join("mix.hl7"), simulate::bench::mix(3, n))
}

fn write(path: &Path, messages: impl Iterator<Item = Vec<u8>>) -> std::io::Result<()> {
    std::fs::write(path, messages.flatten().collect::<Vec<u8>>())
}
