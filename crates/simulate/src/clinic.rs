//! The clinic: ADT from its registration and master patient index, SIU from its calendar.

use crate::draft::{Desk, Draft, cx};
use crate::event::{Admission, Appointment, Booking, Visit};
use crate::lines::{Line, parts};
use crate::moment::MINUTE;
use crate::oddity::Oddity;

/// Builds one ADT message.
pub(crate) fn adt(desk: &Desk<'_>, admission: &Admission) -> Draft {
    let own = desk.clinic_id();
    let (event, structure) = match admission {
        Admission::Registered => ("A28", "ADT_A05"),
        Admission::Changed => ("A31", "ADT_A05"),
        Admission::Merged => ("A40", "ADT_A39"),
        Admission::Arrived(_) => ("A04", "ADT_A01"),
        Admission::Admitted(_) => ("A01", "ADT_A01"),
        Admission::Moved(_) => ("A02", "ADT_A02"),
        Admission::Updated(_) | Admission::ReportedLate(..) => ("A08", "ADT_A01"),
        Admission::Left(_) => ("A03", "ADT_A03"),
        Admission::Cancelled(_) => ("A11", "ADT_A09"),
        Admission::DischargeCancelled(_) => ("A13", "ADT_A01"),
    };
    let happened = match admission {
        Admission::ReportedLate(_, then) => *then,
        Admission::Registered
        | Admission::Changed
        | Admission::Merged
        | Admission::Arrived(_)
        | Admission::Admitted(_)
        | Admission::Moved(_)
        | Admission::Updated(_)
        | Admission::Left(_)
        | Admission::Cancelled(_)
        | Admission::DischargeCancelled(_) => desk.at,
    };
    let mut draft = desk.draft("ADT", event, structure);
    draft.push(Line::new("EVN").raw(1, event).raw(2, &desk.time(happened)));
    let pid = desk.full_pid(&[own], happened);
    draft.push(pid);
    if desk.person.phone_gone.is_some_and(|gone| gone <= happened) {
        draft.odd.push(Oddity::Deletion);
    }
    match admission {
        Admission::Registered | Admission::Changed => {
            draft.push(Line::new("PD1").raw(4, &desk.doctor()));
            draft.push(
                Line::new("NK1")
                    .raw(1, "1")
                    .parts(2, &[&desk.person.family, "Kim"])
                    .parts(3, &["EMC", "Emergency contact", "HL70063"]),
            );
            draft.push(Line::new("PV1").raw(1, "1").raw(2, "N"));
        }
        Admission::Merged => {
            let retired = desk
                .person
                .ids
                .retired
                .as_ref()
                .map_or("", |(number, _)| number.as_str());
            draft.push(Line::new("MRG").raw(1, &cx(retired, "ZZCLINIC", "MR")));
            draft.odd.push(Oddity::Merge);
        }
        Admission::Moved(visit) => draft.push(pv1(desk, visit, Place::Moved)),
        Admission::Left(visit) => draft.push(pv1(desk, visit, Place::Left)),
        Admission::ReportedLate(visit, _) => {
            draft.push(pv1(desk, visit, Place::First));
            draft.odd.push(Oddity::LateNews);
        }
        Admission::Arrived(visit)
        | Admission::Admitted(visit)
        | Admission::Updated(visit)
        | Admission::Cancelled(visit)
        | Admission::DischargeCancelled(visit) => draft.push(pv1(desk, visit, Place::First)),
    }
    if let Admission::Arrived(_) | Admission::Admitted(_) = admission {
        let (code, text) = desk.person.ailment.diagnosis();
        draft.push(
            Line::new("DG1")
                .raw(1, "1")
                .parts(3, &[code, text, "I10C"])
                .raw(5, &desk.time(desk.at))
                .raw(6, "A"),
        );
    }
    draft
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    First,
    Moved,
    Left,
}

fn pv1(desk: &Desk<'_>, visit: &Visit, place: Place) -> Line {
    let [first, second] = visit.wards;
    let room = visit.room.to_string();
    let is_stay = visit.class == "I";
    let there = |ward: &str| {
        if is_stay {
            parts(&[ward, &room, "A", "ZZCLINIC"])
        } else {
            parts(&["OPD", &room, "", "ZZCLINIC"])
        }
    };
    let (now, before) = match place {
        Place::First | Place::Left => (there(first), String::new()),
        Place::Moved => (there(second), there(first)),
    };
    let line = Line::new("PV1")
        .raw(1, "1")
        .raw(2, visit.class)
        .raw(3, &now)
        .raw(6, &before)
        .raw(7, &desk.doctor())
        .parts(10, &[if is_stay { "MED" } else { "AMB" }])
        .raw(14, if is_stay { "7" } else { "1" })
        .raw(19, &cx(&visit.number, "ZZCLINIC", "VN"));
    let line = if place == Place::Left {
        line.raw(36, "01")
    } else {
        line
    };
    let line = line.raw(44, &desk.time(visit.start));
    if place == Place::Left {
        line.raw(45, &desk.time(visit.end))
    } else {
        line
    }
}

/// Builds one SIU message.
pub(crate) fn siu(desk: &Desk<'_>, booking: Booking, appointment: &Appointment) -> Draft {
    let (event, status, reason) = match booking {
        Booking::Made => (
            "S12",
            "BOOKED",
            ["ROUTINE", "Routine appointment", "HL70276"],
        ),
        Booking::Moved => (
            "S13",
            "BOOKED",
            ["ROUTINE", "Another time suits better", "HL70276"],
        ),
        Booking::Cancelled => (
            "S15",
            "CANCELLED",
            ["ROUTINE", "Cancelled by the patient", "HL70276"],
        ),
    };
    let minutes = appointment.minutes.to_string();
    let start = desk.time(appointment.start);
    let end = desk.time(appointment.start.plus(appointment.minutes * MINUTE));
    let [number, family, given] = desk.person.doctor;
    let mut draft = desk.draft("SIU", event, "SIU_S12");
    draft.push(
        Line::new("SCH")
            .parts(1, &[&appointment.number, "ZZCLINIC"])
            .parts(2, &[&appointment.number, "ZZCLINIC"])
            .parts(6, &reason)
            .parts(7, &["FOLLOWUP", "Follow-up visit", "HL70276"])
            .parts(8, &["Normal", "Routine schedule request type", "HL70277"])
            .raw(9, &minutes)
            .parts(10, &["min", "minutes", "UCUM"])
            .raw(11, &parts(&["", "", &minutes, &start, &end]))
            .parts(16, &[number, family, given])
            .parts(20, &[number, family, given])
            .raw(25, status),
    );
    draft.push(desk.short_pid(&[desk.clinic_id()]));
    draft.push(
        Line::new("PV1")
            .raw(1, "1")
            .raw(2, "O")
            .raw(7, &desk.doctor()),
    );
    draft.push(Line::new("RGS").raw(1, "1"));
    let with_times = |line: Line, at: usize| {
        line.raw(at, &start)
            .raw(at + 3, &minutes)
            .parts(at + 4, &["min", "minutes", "UCUM"])
    };
    let service = Line::new("AIS")
        .raw(1, "1")
        .parts(3, &["VISIT", "Clinic visit", "L"]);
    draft.push(with_times(service, 4).raw(10, status));
    let place = Line::new("AIL")
        .raw(1, "1")
        .parts(3, &["OPD", "12", "", "ZZCLINIC"]);
    draft.push(with_times(place, 6).raw(12, status));
    let person = Line::new("AIP")
        .raw(1, "1")
        .parts(3, &[number, family, given])
        .parts(4, &["ATND", "Attending", "L"]);
    draft.push(with_times(person, 6).raw(12, status));
    draft
}

/// Builds a charge for a visit: DFT^P03, which no map accepts.
pub(crate) fn charge(desk: &Desk<'_>, visit: &Visit) -> Draft {
    let mut draft = desk.draft("DFT", "P03", "DFT_P03");
    draft.push(Line::new("EVN").raw(1, "P03").raw(2, &desk.time(desk.at)));
    draft.push(desk.short_pid(&[desk.clinic_id()]));
    draft.push(pv1(desk, visit, Place::Left));
    draft.push(
        Line::new("FT1")
            .raw(1, "1")
            .raw(4, &visit.end.date())
            .raw(6, "CG")
            .parts(7, &["99213", "Office visit", "C4"])
            .raw(10, "1"),
    );
    draft.odd.push(Oddity::NoMap);
    draft
}
