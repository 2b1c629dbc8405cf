//! No one in the town resembles a real person.

use crate::town;
use hl7v2::Message;
use simulate::names::FAMILY_MARKS;

#[test]
fn nobody_looks_real() {
    for sent in town() {
        let message = Message::parse(sent.bytes.clone());
        let pid = message.first("PID").unwrap();
        let family = pid.field(5).component(1).text().into_owned();
        assert!(
            FAMILY_MARKS.iter().any(|mark| family.starts_with(mark)),
            "{family}"
        );
        for id in pid.field(3).repeats() {
            assert!(id.component(1).text().starts_with('Z'));
        }
        assert!(
            pid.field(19).is_empty(),
            "nobody has a social security number"
        );
        let zip = pid.field(11).component(5).text().into_owned();
        assert!(zip.is_empty() || zip.as_str() < "00501", "{zip}");
        for contact in pid.field(13).repeats().filter(|contact| !contact.is_null()) {
            let (phone, mail) = (contact.component(1).text(), contact.component(4).text());
            assert!(
                phone.is_empty() || (phone.starts_with("555-01") && phone.len() == 8),
                "{phone}"
            );
            assert!(mail.is_empty() || mail.ends_with("@example.org"), "{mail}");
        }
    }
}

/// A nine-digit number entered by hand would be mistaken for a social security number.
#[test]
fn no_number_has_the_shape_of_a_social_security_number() {
    for sent in town() {
        let text = String::from_utf8_lossy(&sent.bytes).into_owned();
        let pid = text
            .split(['\r', '\n'])
            .find(|line| line.starts_with("PID"))
            .unwrap()
            .to_owned();
        for part in pid.split(|c: char| !(c.is_ascii_digit() || c == '-')) {
            let is_dashed = part.len() == 11 && part.split('-').map(str::len).eq([3, 2, 4]);
            let is_plain = part.len() == 9 && part.bytes().all(|b| b.is_ascii_digit());
            assert!(!is_dashed && !is_plain, "{part}");
        }
    }
}
