//! All output is valid HL7: segments end in CR (HL7 v2 2.5.4), in pipes and on the wire.

use crate::messages::{ADMISSION, RESULT};
use crate::process::{causeway, stdout_of};
use crate::site::write;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Runs a peer that accepts one frame and returns it.
fn peer() -> (String, std::thread::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let taken = std::thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let (mut frame, mut chunk) = (Vec::new(), [0; 4096]);
        while !frame.ends_with(b"\x1c\r") {
            let n = socket.read(&mut chunk).unwrap();
            assert!(0 < n, "no whole frame came");
            frame.extend_from_slice(&chunk[..n]);
        }
        let answer = b"\x0bMSH|^~\\&|B||A||20240105||ACK|1|P|2.5.1\rMSA|AA|1\r\x1c\r";
        socket.write_all(answer).unwrap();
        frame
    });
    (address, taken)
}

#[test]
fn a_message_that_convert_writes_ends_its_segments_in_cr() {
    let folder = tempfile::tempdir().unwrap();
    for (message, structure) in [(RESULT, "ORU_R01"), (ADMISSION, "ADT_A01")] {
        let bundle = stdout_of(&["convert", &write(folder.path(), "m.hl7", message)]);
        let saved = write(folder.path(), "b.json", &bundle);
        let back = stdout_of(&["convert", "--to", "hl7v2", "--structure", structure, &saved]);
        assert!(!back.contains('\n') && back.ends_with('\r'), "{back:?}");
        let read = hl7v2::Message::from(back.as_bytes());
        assert!(2 < read.segments().len(), "{back:?}");
        assert!(read.issues().is_empty(), "{:?}", read.issues());
    }
}

#[test]
fn a_file_with_line_feeds_goes_out_with_cr() {
    let folder = tempfile::tempdir().unwrap();
    let batch = format!("BHS|^~\\&\r{ADMISSION}{RESULT}BTS|2\r");
    for (text, more) in [(ADMISSION.to_owned(), &[][..]), (batch, &["--batch"][..])] {
        for end in ["\n", "\r\n", "\r"] {
            let file = write(folder.path(), "m.hl7", &text.replace('\r', end));
            let (address, taken) = peer();
            let url = format!("mllp://{address}");
            let args: Vec<&str> = ["send"]
                .iter()
                .chain(more)
                .copied()
                .chain([url.as_str(), &file])
                .collect();
            let output = causeway(&args);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(0), "{said}");
            let frame = taken.join().unwrap();
            let body = String::from_utf8(frame[1..frame.len() - 2].to_vec()).unwrap();
            assert_eq!(body.trim_end(), text.trim_end(), "{end:?}");
            assert!(!body.contains('\n'), "{body:?}");
        }
    }
}
