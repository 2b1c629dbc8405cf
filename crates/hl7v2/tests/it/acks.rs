//! Acknowledgements: which one is wanted (2.8.2 chapter 2.9), writing and reading.

use base::Timestamp;
use hl7v2::ack::{
    AckCode, AckError, Acknowledgement, Condition, Mode, Outcome, accept_code, acknowledge,
    application_code, mode,
};
use hl7v2::{Message, Place, Version};

fn adt(accept: &str, application: &str) -> Message {
    Message::parse(format!(
        "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5|||{accept}|{application}\r"
    ))
}

/// 2.9.2 and 2.9.3, table 0155: every value of MSH-15 and MSH-16 with every outcome.
#[test]
fn what_the_sender_wants() {
    use AckCode::{AA, AE, AR, CA, CE, CR};
    use Outcome::{Accepted, Error, Rejected};
    let outcomes = [(Accepted, CA, AA), (Error, CE, AE), (Rejected, CR, AR)];
    let asks = |wanted: &str, outcome: Outcome| match wanted {
        "AL" => true,
        "ER" => outcome != Accepted,
        "SU" => outcome == Accepted,
        "NE" | "" => false,
        other => unreachable!("{other}"),
    };
    for accept in ["", "AL", "NE", "ER", "SU"] {
        for application in ["", "AL", "NE", "ER", "SU"] {
            let message = adt(accept, application);
            let original = accept.is_empty() && application.is_empty();
            assert_eq!(mode(&message) == Mode::Original, original);
            for (outcome, commit, answer) in outcomes {
                let found = (
                    accept_code(&message, outcome),
                    application_code(&message, outcome),
                );
                let expected = (
                    asks(accept, outcome).then_some(commit),
                    (original || asks(application, outcome)).then_some(answer),
                );
                assert_eq!(found, expected, "{accept:?} {application:?} {outcome:?}");
            }
        }
    }
}

#[test]
fn an_invalid_mode_is_not_taken_as_never() {
    for (clause, accept, application, expected) in [
        ("nulls", "\"\"", "\"\"", (None, Some(AckCode::AA))),
        ("no value of the table", "Y", "", (None, Some(AckCode::AA))),
        ("one of two is known", "Y", "NE", (None, None)),
        ("a blank behind it", "AL ", "NE", (Some(AckCode::CA), None)),
    ] {
        let message = adt(accept, application);
        let found = (
            accept_code(&message, Outcome::Accepted),
            application_code(&message, Outcome::Accepted),
        );
        assert_eq!(found, expected, "{clause}");
    }
}

fn written(message: &str, code: AckCode, errors: &[AckError]) -> String {
    let message = Message::parse(message.to_owned());
    let bytes = acknowledge(&message, code, errors, Timestamp::from_micros(0), "ZZ9");
    let ack = Message::parse(bytes.clone());
    assert_eq!(ack.issues(), [], "{}", String::from_utf8_lossy(&bytes));
    String::from_utf8(bytes).unwrap().replace('\r', "\n")
}

fn error() -> AckError {
    let place = Place {
        name: Some(*b"PID"),
        occurrence: 1,
        field: 7,
        repeat: 1,
        ..Place::default()
    };
    AckError::new(Condition::DataType, "no date").at(place)
}

#[test]
fn what_is_written() {
    let time = Timestamp::from_micros(0).to_hl7();
    let cases = [
        (
            "MSH|^~\\&|A|B|C|D|2026||ADT^A01^ADT_A01|X\\T\\1|T|2.5.1||||||UNICODE UTF-8\r",
            AckCode::AA,
            vec![],
            format!(
                "MSH|^~\\&|C|D|A|B|{time}||ACK^A01^ACK|ZZ9|T|2.5.1||||||UNICODE UTF-8\nMSA|AA|X\\T\\1\n"
            ),
        ),
        (
            "MSH$%*/@$A$B$C$D$2026$$ADT%A01$1$P$2.5\r",
            AckCode::AE,
            vec![error()],
            format!(
                "MSH$%*/@$C$D$A$B${time}$$ACK%A01%ACK$ZZ9$P$2.5\nMSA$AE$1$no date\n\
                 ERR$$PID%1%7%1$102%Data type error%HL70357$E$$$$no date\n"
            ),
        ),
        (
            "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\r",
            AckCode::AE,
            vec![error(), AckError::new(Condition::InternalError, "")],
            format!(
                "MSH|^~\\&|C|D|A|B|{time}||ACK^A01|ZZ9|P|2.3\nMSA|AE|1|no date\n\
                 ERR|PID^1^7^102&Data type error&HL70357~^^^207&Application internal error&HL70357\n"
            ),
        ),
        (
            "GET / HTTP/1.1\r",
            AckCode::AR,
            vec![],
            format!("MSH|^~\\&|||||{time}||ACK^^ACK|ZZ9|P|2.5.1\nMSA|AR\n"),
        ),
    ];
    for (message, code, errors, expected) in cases {
        assert_eq!(written(message, code, &errors), expected);
    }
}

/// ERR and MSH-9 are written in each version's own form and read back the same: ELD in ERR-1 up to
/// 2.4; ERL, code and severity in fields of their own from 2.5; MSH-9 with the event from 2.3, with
/// the structure from 2.3.1.
#[test]
fn each_version_has_its_form() {
    let eld = "ERR|PID^1^7^102&Data type error&HL70357\n";
    let erl = "ERR||PID^1^7^1|102^Data type error^HL70357|E||||no date\n";
    for version in Version::ALL {
        let (kind, err) = match version {
            Version::V2_1 | Version::V2_2 => ("ACK", eld),
            Version::V2_3 => ("ACK^A01", eld),
            Version::V2_3_1 | Version::V2_4 => ("ACK^A01^ACK", eld),
            Version::V2_5
            | Version::V2_5_1
            | Version::V2_6
            | Version::V2_7
            | Version::V2_8
            | Version::V2_8_1
            | Version::V2_8_2 => ("ACK^A01^ACK", erl),
        };
        let sent = format!("MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|{version}\r");
        let text = written(&sent, AckCode::AE, &[error()]);
        assert!(text.ends_with(err), "{version}: {text}");
        let ack = Message::parse(text.replace('\n', "\r"));
        assert_eq!(ack.first("MSH").unwrap().field(9).raw(), kind.as_bytes());
        let text_in_msa = ack.first("MSA").unwrap().field(3).text().into_owned();
        let in_msa = if version < Version::V2_7 {
            "no date"
        } else {
            ""
        };
        assert_eq!(text_in_msa, in_msa, "{version}: MSA-3 is withdrawn in 2.7");
        let read = Acknowledgement::read(&ack).unwrap();
        assert_eq!(read.errors.len(), 1, "{version}");
        let place = read.errors[0].place.map(|place| place.to_string());
        assert_eq!(place.as_deref(), Some("PID-7"), "{version}");
        assert_eq!(read.errors[0].condition, Condition::DataType, "{version}");
    }
}

/// Table 0357: every condition round-trips.
#[test]
fn every_condition_of_table_0357() {
    for condition in Condition::ALL {
        for version in ["2.3", "2.8.2"] {
            let sent = format!("MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|{version}\r");
            let text = written(&sent, AckCode::AR, &[AckError::new(condition, "x")]);
            let read = Acknowledgement::read(&Message::parse(text.replace('\n', "\r"))).unwrap();
            assert_eq!(read.errors[0].condition, condition, "{version}");
            assert_eq!(
                read.errors[0].place, None,
                "{version}: of the whole message"
            );
        }
    }
}

/// The sender's declaration is echoed, whatever it is, so that the sender can read the answer.
#[test]
fn the_senders_delimiters_are_echoed() {
    for msh_2 in [
        "^~\\&", "^~\\&#", "^~&", "^~\\", "^~", "^", "^~\\&#$", "abcd", "",
    ] {
        let sent = format!("MSH|{msh_2}|A|B|C|D|2026||ADT|1|P|2.5\rPID|1\r");
        let message = Message::parse(sent);
        let bytes = acknowledge(
            &message,
            AckCode::AE,
            &[error()],
            Timestamp::from_micros(0),
            "9",
        );
        let ack = Message::parse(bytes);
        assert_eq!(ack.delimiters(), message.delimiters(), "{msh_2}");
        let names: Vec<&str> = ack.segments().map(|segment| segment.name()).collect();
        assert_eq!(names, ["MSH", "MSA", "ERR"], "{msh_2}");
        assert_eq!(ack.first("MSA").unwrap().field(2).text(), "1", "{msh_2}");
    }
    // Control characters between the echoed parts.
    let sent =
        b"MSH\x1d\x1e\x1f\x01\x02\x1dAPP\x1eX\x07\x1dFAC\x1d\x1d\x1d\x1d\x1dADT\x1d1\x1dP\x1d2.5\r";
    let (at, message) = (Timestamp::from_micros(0), Message::from(&sent[..]));
    let ack = Message::parse(acknowledge(&message, AckCode::AA, &[], at, "9"));
    let receiver = ack.first("MSH").unwrap().field(5);
    assert_eq!(receiver.component(1).text(), "APP");
    assert_eq!(receiver.component(2).text(), "X ", "but no other one");
    // A header that is only delimiters.
    let bytes = acknowledge(
        &Message::parse("MSH|^~\\&\rPID|1|x\r"),
        AckCode::AR,
        &[],
        Timestamp::from_micros(0),
        "9",
    );
    assert!(
        bytes.starts_with(b"MSH|^~\\&|||||"),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
}

#[test]
fn what_is_read() {
    let cases = [
        (
            written(
                "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5\r",
                AckCode::AE,
                &[error()],
            ),
            Some("PID-7"),
        ),
        (
            written(
                "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.3\r",
                AckCode::AE,
                &[error()],
            ),
            Some("PID-7"),
        ),
    ];
    for (text, place) in cases {
        let ack = Acknowledgement::read(&Message::parse(text.replace('\n', "\r"))).unwrap();
        assert_eq!((ack.code, ack.control_id.as_str()), (AckCode::AE, "1"));
        let [error] = ack.errors.as_slice() else {
            panic!("{ack:?}")
        };
        assert_eq!(error.condition, Condition::DataType);
        assert_eq!(error.place.map(|place| place.to_string()).as_deref(), place);
    }
    assert_eq!(
        Acknowledgement::read(&Message::parse("MSH|^~\\&|A\rMSA|??|1\r")),
        None
    );
}
