//! Acknowledgements: which one is wanted (2.8.2 chapter 2.9), how it is written, how it is read.

use base::Timestamp;
use hl7v2::ack::{
    AckCode, AckError, Acknowledgement, Condition, Outcome, accept_code, acknowledge,
    application_code,
};
use hl7v2::{Message, Place};

fn adt(accept: &str, application: &str) -> Message {
    Message::parse(format!(
        "MSH|^~\\&|A|B|C|D|2026||ADT^A01|1|P|2.5|||{accept}|{application}\r"
    ))
}

#[test]
fn what_the_sender_wants() {
    use AckCode::{AA, AE, AR, CA, CE, CR};
    use Outcome::{Accepted, Error, Rejected};
    let cases = [
        ("", "", Accepted, None, Some(AA)),
        ("", "", Error, None, Some(AE)),
        ("", "", Rejected, None, Some(AR)),
        ("AL", "NE", Accepted, Some(CA), None),
        ("AL", "NE", Rejected, Some(CR), None),
        ("AL", "AL", Error, Some(CE), Some(AE)),
        ("NE", "AL", Accepted, None, Some(AA)),
        ("ER", "SU", Accepted, None, Some(AA)),
        ("ER", "SU", Error, Some(CE), None),
        ("SU", "ER", Accepted, Some(CA), None),
        ("", "AL", Accepted, None, Some(AA)),
    ];
    for (accept, application, outcome, commit, answer) in cases {
        let message = adt(accept, application);
        let found = (
            accept_code(&message, outcome),
            application_code(&message, outcome),
        );
        assert_eq!(
            found,
            (commit, answer),
            "{accept} {application} {outcome:?}"
        );
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
