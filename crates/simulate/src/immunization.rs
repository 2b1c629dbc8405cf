//! The immunization clinic: VXU^V04 as in the CDC's guide for registries (release 1.5).

use crate::draft::{Desk, Draft, cx};
use crate::event::{Shots, ShotsKind};
use crate::lines::{Line, parts};
use crate::moment::DAY;
use crate::oddity::Oddity;
use crate::person::Person;
use crate::station::{SCHOOL_SHOTS, SHOTS, Station};

struct Vaccine {
    /// CVX code and name.
    cvx: [&'static str; 2],
    ndc: &'static str,
    /// MVX code and name.
    maker: [&'static str; 2],
    dose: &'static str,
    /// Route (table 0162).
    route: [&'static str; 2],
    /// Vaccine group of the information statement (CVX), and its date.
    statement: [&'static str; 3],
}

/// The number of vaccines in the table that are for children.
pub(crate) const CHILD_VACCINES: usize = 7;
/// The index of the influenza vaccine.
pub(crate) const INFLUENZA: usize = 7;

const INTRAMUSCULAR: [&str; 2] = ["IM", "Intramuscular"];
const SUBCUTANEOUS: [&str; 2] = ["SC", "Subcutaneous"];

#[rustfmt::skip]
static VACCINES: [Vaccine; 8] = [
    Vaccine { cvx: ["08", "Hep B, adolescent or pediatric"], ndc: "58160-0820-11", maker: ["SKB", "GlaxoSmithKline"],
        dose: "0.5", route: INTRAMUSCULAR, statement: ["45", "Hep B, unspecified formulation", "20230512"] },
    Vaccine { cvx: ["20", "DTaP"], ndc: "49281-0286-10", maker: ["PMC", "Sanofi Pasteur"],
        dose: "0.5", route: INTRAMUSCULAR, statement: ["107", "DTaP, unspecified formulation", "20210806"] },
    Vaccine { cvx: ["10", "IPV"], ndc: "49281-0860-10", maker: ["PMC", "Sanofi Pasteur"],
        dose: "0.5", route: SUBCUTANEOUS, statement: ["89", "polio, unspecified formulation", "20210806"] },
    Vaccine { cvx: ["133", "Pneumococcal conjugate PCV 13"], ndc: "00005-1971-02", maker: ["PFR", "Pfizer, Inc"],
        dose: "0.5", route: INTRAMUSCULAR, statement: ["152", "Pneumococcal Conjugate, unspecified formulation", "20230512"] },
    Vaccine { cvx: ["03", "MMR"], ndc: "00006-4681-00", maker: ["MSD", "Merck and Co., Inc."],
        dose: "0.5", route: SUBCUTANEOUS, statement: ["03", "MMR", "20210806"] },
    Vaccine { cvx: ["21", "varicella"], ndc: "00006-4827-00", maker: ["MSD", "Merck and Co., Inc."],
        dose: "0.5", route: SUBCUTANEOUS, statement: ["21", "varicella", "20210806"] },
    Vaccine { cvx: ["48", "Hib (PRP-T)"], ndc: "49281-0545-03", maker: ["PMC", "Sanofi Pasteur"],
        dose: "0.5", route: INTRAMUSCULAR, statement: ["17", "Hib, unspecified formulation", "20210806"] },
    Vaccine { cvx: ["150", "Influenza, injectable, quadrivalent, preservative free"], ndc: "49281-0421-10", maker: ["PMC", "Sanofi Pasteur"],
        dose: "0.5", route: INTRAMUSCULAR, statement: ["88", "influenza, unspecified formulation", "20210806"] },
];

/// Returns the system that vaccinates this person.
pub(crate) fn station(person: &Person) -> &'static Station {
    if person.number.is_multiple_of(4) {
        &SCHOOL_SHOTS
    } else {
        &SHOTS
    }
}

/// Builds one VXU message.
pub(crate) fn message(desk: &Desk<'_>, shots: &Shots) -> Draft {
    let mut draft = desk.draft("VXU", "V04", "VXU_V04");
    let ids = [
        cx(&desk.person.ids.immunization, "ZZIMM", "PI"),
        desk.clinic_id(),
    ];
    draft.push(desk.full_pid(&ids, desk.at));
    if desk.person.phone_gone.is_some_and(|gone| gone <= desk.at) {
        draft.odd.push(Oddity::Deletion);
    }
    draft.push(
        Line::new("PD1")
            .parts(11, &["02", "Reminder/recall - any method", "HL70215"])
            .raw(12, "N"),
    );
    if desk.person.age(desk.at) < 18.0 {
        let parent = [desk.person.family.as_str(), "Pat", "", "", "", "", "L"];
        draft.push(
            Line::new("NK1")
                .raw(1, "1")
                .parts(2, &parent)
                .parts(3, &["MTH", "Mother", "HL70063"])
                .raw(5, &parts(&[&desk.person.phone, "PRN", "PH"])),
        );
    }
    for (idx, vaccine) in shots
        .vaccines
        .iter()
        .filter_map(|&place| VACCINES.get(place))
        .enumerate()
    {
        shot(desk, &mut draft, shots, (idx + 1, vaccine));
    }
    draft
}

fn shot(desk: &Desk<'_>, draft: &mut Draft, shots: &Shots, (number, vaccine): (usize, &Vaccine)) {
    let [code, name] = vaccine.cvx;
    let given = desk.time(shots.given);
    let [doctor, family, first] = desk.person.doctor;
    draft.push(
        Line::new("ORC")
            .raw(1, "RE")
            .parts(3, &[&format!("{}-{number}", shots.number), "ZZIMM"])
            .parts(12, &[doctor, family, first]),
    );
    let rxa = Line::new("RXA")
        .raw(1, "0")
        .raw(2, "1")
        .raw(3, &given)
        .raw(4, &given);
    if shots.kind == ShotsKind::Refused {
        let rxa = rxa.parts(5, &[code, name, "CVX"]).raw(6, "999");
        draft.push(
            rxa.parts(18, &["00", "Parental decision", "NIP002"])
                .raw(20, "RE")
                .raw(21, "A"),
        );
        return;
    }
    let (lot, action) = match shots.kind {
        ShotsKind::Given => ("ZZLOT", "A"),
        ShotsKind::Corrected => ("ZZLOTB", "U"),
        ShotsKind::Deleted | ShotsKind::Refused => ("ZZLOT", "D"),
    };
    if shots.kind != ShotsKind::Given {
        draft.odd.push(Oddity::Correction);
    }
    let [maker, maker_name] = vaccine.maker;
    let codes = format!(
        "{}~{}",
        parts(&[code, name, "CVX"]),
        parts(&[vaccine.ndc, name, "NDC"])
    );
    draft.push(
        rxa.raw(5, &codes)
            .raw(6, vaccine.dose)
            .parts(7, &["mL", "milliliter", "UCUM"])
            .parts(9, &["00", "New immunization record", "NIP001"])
            .parts(10, &[doctor, family, first])
            .parts(11, &["", "", "", "ZZIMM"])
            .raw(15, &format!("{lot}{code}"))
            .raw(16, &shots.given.plus(300 * DAY).date())
            .parts(17, &[maker, maker_name, "MVX"])
            .raw(20, "CP")
            .raw(21, action),
    );
    let [route, route_name] = vaccine.route;
    draft.push(
        Line::new("RXR")
            .parts(1, &[route, route_name, "HL70162"])
            .parts(2, &["LA", "Left arm", "HL70163"]),
    );
    facts(desk, draft, shots, vaccine);
}

/// Adds eligibility and the information statement.
fn facts(desk: &Desk<'_>, draft: &mut Draft, shots: &Shots, vaccine: &Vaccine) {
    let day = shots.given.date();
    let eligibility = if desk.person.is_hispanic {
        parts(&[
            "V02",
            "VFC eligible - Medicaid/Medicaid managed care",
            "HL70064",
        ])
    } else {
        parts(&["V01", "Not VFC eligible", "HL70064"])
    };
    let [group, group_name, printed] = vaccine.statement;
    let rows = [
        (
            "CE",
            ["64994-7", "Vaccine funding program eligibility category"],
            "1",
            eligibility,
        ),
        (
            "CE",
            ["30956-7", "Vaccine type"],
            "2",
            parts(&[group, group_name, "CVX"]),
        ),
        (
            "DT",
            ["29768-9", "Date vaccine information statement published"],
            "2",
            printed.to_owned(),
        ),
        (
            "DT",
            ["29769-7", "Date vaccine information statement presented"],
            "2",
            day.clone(),
        ),
    ];
    for (idx, (kind, [code, text], group, value)) in rows.into_iter().enumerate() {
        draft.push(
            Line::new("OBX")
                .raw(1, &(idx + 1).to_string())
                .raw(2, kind)
                .parts(3, &[code, text, "LN"])
                .raw(4, group)
                .raw(5, &value)
                .raw(11, "F")
                .raw(14, &day),
        );
    }
}
