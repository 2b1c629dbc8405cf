//! The pharmacy: RDE^O11 with RXE, TQ1 and RXR; RDS^O13 with RXD when a drug is dispensed.

use crate::draft::{Desk, Draft};
use crate::event::{Order, Prescription};
use crate::lines::Line;
use crate::moment::DAY;
use crate::person::Ailment;
use crate::station::{DISPENSARY, ORDER_DESK, Station};

struct Drug {
    rxnorm: &'static str,
    name: &'static str,
    strength: &'static str,
    unit: &'static str,
    /// TQ1-3, table 0335.
    repeat: &'static str,
    /// The usual dose and another.
    doses: [&'static str; 2],
    days: i64,
    text: &'static str,
}

/// The index of acetaminophen in the table.
pub(crate) const ACETAMINOPHEN: usize = 6;

static DRUGS: [Drug; 7] = [
    drug(
        "860975",
        "24 HR Metformin hydrochloride 500 MG Extended Release Oral Tablet",
        ["500", "1000"],
        "BID",
        "with meals",
    ),
    drug(
        "197361",
        "Amlodipine 5 MG Oral Tablet",
        ["5", "10"],
        "QD",
        "in the morning",
    ),
    drug(
        "966222",
        "Levothyroxine sodium 0.075 MG Oral Tablet",
        ["0.075", "0.15"],
        "QD",
        "on an empty stomach",
    ),
    drug(
        "259255",
        "Atorvastatin 80 MG Oral Tablet",
        ["80", "40"],
        "QHS",
        "at bedtime",
    ),
    drug(
        "310325",
        "ferrous sulfate 325 MG Oral Tablet",
        ["325", "650"],
        "QD",
        "not with milk",
    ),
    drug(
        "562251",
        "Amoxicillin 250 MG / Clavulanate 125 MG Oral Tablet",
        ["250", "500"],
        "Q8H",
        "until all are taken",
    ),
    drug(
        "313782",
        "Acetaminophen 325 MG Oral Tablet",
        ["325", "650"],
        "Q6H",
        "when in pain – no more than 8 a day",
    ),
];

const fn drug(
    rxnorm: &'static str,
    name: &'static str,
    doses: [&'static str; 2],
    repeat: &'static str,
    text: &'static str,
) -> Drug {
    let [strength, _] = doses;
    Drug {
        rxnorm,
        name,
        strength,
        unit: "mg",
        repeat,
        doses,
        days: 30,
        text,
    }
}

/// Returns the drug prescribed for the ailment.
pub(crate) fn drug_for(ailment: Ailment) -> usize {
    match ailment {
        Ailment::Diabetes => 0,
        Ailment::Kidney => 1,
        Ailment::Thyroid => 2,
        Ailment::Lipids => 3,
        Ailment::Anemia => 4,
        Ailment::Infection => 5,
        Ailment::Healthy | Ailment::Child => ACETAMINOPHEN,
    }
}

/// Returns the system that writes this order.
pub(crate) fn station(order: Order) -> &'static Station {
    match order {
        Order::New | Order::Changed | Order::Stopped => &ORDER_DESK,
        Order::Dispensed => &DISPENSARY,
    }
}

/// Builds one RDE or RDS message, or `None` if the table has no such drug.
pub(crate) fn message(desk: &Desk<'_>, order: Order, prescription: &Prescription) -> Option<Draft> {
    let drug = DRUGS.get(prescription.drug)?;
    let (mut draft, control) = match order {
        Order::New => (desk.draft("RDE", "O11", "RDE_O11"), "NW"),
        Order::Changed => (desk.draft("RDE", "O11", "RDE_O11"), "XO"),
        Order::Stopped => (desk.draft("RDE", "O11", "RDE_O11"), "DC"),
        Order::Dispensed => (desk.draft("RDS", "O13", "RDS_O13"), "RE"),
    };
    draft.push(desk.short_pid(&[desk.clinic_id()]));
    draft.push(
        Line::new("PV1")
            .raw(1, "1")
            .raw(2, "O")
            .raw(7, &desk.doctor()),
    );
    draft.push(
        Line::new("ORC")
            .raw(1, control)
            .parts(2, &[&prescription.number, "ZZCLINIC"])
            .parts(3, &[&format!("P{}", prescription.number), "ZZPHARM"])
            .raw(5, if order == Order::Stopped { "DC" } else { "IP" })
            .raw(9, &desk.time(desk.at))
            .raw(12, &desk.doctor()),
    );
    let [usual, other] = drug.doses;
    let dose = if order == Order::Changed {
        other
    } else {
        usual
    };
    draft.push(rxe(drug, dose));
    let end = prescription.start.plus(drug.days * DAY);
    draft.push(
        Line::new("TQ1")
            .raw(1, "1")
            .parts(3, &[drug.repeat, "", "HL70335"])
            .raw(7, &desk.time(prescription.start))
            .raw(8, &desk.time(end)),
    );
    draft.push(Line::new("RXR").parts(1, &["PO", "Oral", "HL70162"]));
    if order == Order::Dispensed {
        draft.push(rxd(desk, drug, prescription));
        draft.push(Line::new("RXR").parts(1, &["PO", "Oral", "HL70162"]));
    }
    Some(draft)
}

fn rxe(drug: &Drug, dose: &str) -> Line {
    Line::new("RXE")
        .parts(2, &[drug.rxnorm, drug.name, "RXNORM"])
        .raw(3, dose)
        .parts(5, &[drug.unit, "", "UCUM"])
        .parts(6, &["TAB", "Tablet", "L"])
        .parts(7, &["", drug.text])
        .raw(10, "60")
        .parts(11, &["{tbl}", "tablet", "UCUM"])
        .raw(12, "2")
        .raw(25, drug.strength)
        .parts(26, &[drug.unit, "", "UCUM"])
}

fn rxd(desk: &Desk<'_>, drug: &Drug, prescription: &Prescription) -> Line {
    Line::new("RXD")
        .raw(1, "1")
        .parts(2, &[drug.rxnorm, drug.name, "RXNORM"])
        .raw(3, &desk.time(desk.at))
        .raw(4, "60")
        .parts(5, &["{tbl}", "tablet", "UCUM"])
        .raw(7, &format!("P{}", prescription.number))
        .raw(8, "1")
}
