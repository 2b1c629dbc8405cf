//! The laboratory: ORU^R01 with panels, cultures and letters.
//!
//! OBX-14 carries the time at which the specimen was *received*, not the time of the observation
//! (that is OBR-7): a site reads it with a dialect that says `OBX-14 means received`.

mod analyte;
mod culture;
mod pdf;
mod value;

use crate::draft::{Desk, Draft, cx};
use crate::event::{Panel, Report, Stage, Study};
use crate::lines::Line;
use crate::moment::{DAY, MINUTE, Moment};
use crate::oddity::Oddity;
use crate::random::Random;
use crate::station::{CORE_LABORATORY, MICROBIOLOGY, Station};
use analyte::{Analyte, BLOOD_COUNT, LIPIDS, METABOLIC};

/// The share of results whose PID has little more than a number and a name.
pub const SPARSE_PID: f64 = 0.3;
/// The share of reports with a comment (NTE).
pub const REMARK: f64 = 0.15;

/// Returns the system that reports this.
pub(crate) fn station(study: Study) -> &'static Station {
    match study {
        Study::Panel(_) | Study::History(..) | Study::Letter => &CORE_LABORATORY,
        Study::Culture { .. } => &MICROBIOLOGY,
    }
}

/// Builds one ORU message. `ill_since` is the time at which the person's treatment began.
pub(crate) fn message(desk: &Desk<'_>, report: &Report, ill_since: Moment) -> Draft {
    let mut random = Random::new(report.values, 3);
    let mut draft = desk.draft("ORU", "R01", "ORU_R01");
    let pid = pid(desk, &mut draft, &mut random);
    draft.push(pid);
    match report.stage {
        Stage::Preliminary | Stage::Final => {}
        Stage::Corrected => draft.odd.push(Oddity::Correction),
        Stage::Withdrawn => draft.odd.push(Oddity::Withdrawal),
    }
    match report.study {
        Study::Panel(panel) => {
            group(desk, &mut draft, report, (panel, ill_since));
            if random.chance(REMARK) {
                draft.push(remark(report.stage));
            }
        }
        Study::History(panel, n_earlier) => {
            for k in (1..=n_earlier).rev() {
                let earlier = Report {
                    number: format!("{}-{k}", report.number),
                    collected: report.collected.plus(-i64::from(k) * 91 * DAY),
                    values: report.values.wrapping_add(u64::from(k)),
                    ..report.clone()
                };
                group(desk, &mut draft, &earlier, (panel, ill_since));
            }
        }
        Study::Culture { is_blood, grows } => {
            culture::lines(desk, &mut draft, report, (is_blood, grows));
        }
        Study::Letter => letter(desk, &mut draft, report),
    }
    draft
}

fn pid(desk: &Desk<'_>, draft: &mut Draft, random: &mut Random) -> Line {
    let person = desk.person;
    let own = cx(&person.ids.laboratory, "ZZLAB", "PI");
    let ids = if person.ids.laboratory_only {
        draft.odd.push(Oddity::OwnNumberOnly);
        vec![own]
    } else {
        vec![own, desk.clinic_id()]
    };
    if random.chance(SPARSE_PID) {
        draft.odd.push(Oddity::SparsePid);
        return Line::new("PID")
            .raw(3, &ids.join("~"))
            .parts(5, &[&person.family, person.given]);
    }
    desk.short_pid(&ids)
}

/// Adds ORC, OBR and the results of one specimen.
fn group(desk: &Desk<'_>, draft: &mut Draft, report: &Report, (panel, ill_since): (Panel, Moment)) {
    let (code, name) = analyte::panel_code(panel);
    request(desk, draft, report, ([code, name], "LAB"));
    let days_ill = report.collected.days_since(ill_since);
    let values = value::values(desk.person, panel, days_ill, report);
    for (idx, (analyte, value)) in values.into_iter().enumerate() {
        let line = result(desk, (idx + 1, analyte), &value, report);
        draft.push(line);
    }
}

/// Adds ORC and OBR.
fn request(
    desk: &Desk<'_>,
    draft: &mut Draft,
    report: &Report,
    (test, section): ([&str; 2], &str),
) {
    let (_, status) = report.stage.codes();
    let [code, name] = test;
    let placer = format!("O{}", report.number);
    draft.push(
        Line::new("ORC")
            .raw(1, "RE")
            .parts(2, &[&placer, "ZZCLINIC"])
            .parts(3, &[&report.number, "ZZLAB"]),
    );
    draft.push(
        Line::new("OBR")
            .raw(
                1,
                &(draft
                    .lines
                    .iter()
                    .filter(|line| line.starts_with("OBR"))
                    .count()
                    + 1)
                .to_string(),
            )
            .parts(2, &[&placer, "ZZCLINIC"])
            .parts(3, &[&report.number, "ZZLAB"])
            .parts(4, &[code, name, "LN"])
            .raw(7, &desk.time(report.collected))
            .raw(14, &desk.time(received(report)))
            .raw(16, &desk.doctor())
            .raw(22, &desk.time(desk.at))
            .raw(24, section)
            .raw(25, status),
    );
}

/// Returns the time at which the specimen reached the laboratory.
fn received(report: &Report) -> Moment {
    report.collected.plus(35 * MINUTE)
}

fn result(
    desk: &Desk<'_>,
    (number, analyte): (usize, &Analyte),
    value: &str,
    report: &Report,
) -> Line {
    let (status, _) = report.stage.codes();
    Line::new("OBX")
        .raw(1, &number.to_string())
        .raw(2, "NM")
        .parts(3, &[analyte.code, analyte.name, "LN"])
        .raw(5, value)
        .parts(6, &[analyte.unit, analyte.unit, "UCUM"])
        .text(7, &analyte.range())
        .text(8, analyte.flag(value))
        .raw(11, status)
        .raw(14, &desk.time(received(report)))
        .parts(15, &["ZZLAB", "Synthetic laboratory", "L"])
}

fn remark(stage: Stage) -> Line {
    let text = match stage {
        Stage::Preliminary => "Verification is pending.",
        Stage::Final => "Specimen slightly hemolyzed; potassium may read high.",
        Stage::Corrected => "Corrected: the first result was read from another run & is replaced.",
        Stage::Withdrawn => "Wrong patient: the specimen was mislabelled. Do not use.",
    };
    Line::new("NTE").raw(1, "1").raw(2, "L").text(3, text)
}

/// Adds a report as a PDF.
fn letter(desk: &Desk<'_>, draft: &mut Draft, report: &Report) {
    request(
        desk,
        draft,
        report,
        (["11502-2", "Laboratory report"], "LAB"),
    );
    let (status, _) = report.stage.codes();
    let lines = [
        "ZZLAB Synthetic laboratory".to_owned(),
        format!("Report {}", report.number),
        format!("Patient {} (synthetic)", desk.person.ids.laboratory),
        format!("Collected {}", report.collected.minute()),
        "This document was made by a simulation.".to_owned(),
    ];
    let coded = pdf::base64(&pdf::document(&lines));
    draft.push(
        Line::new("OBX")
            .raw(1, "1")
            .raw(2, "ED")
            .parts(3, &["11502-2", "Laboratory report", "LN"])
            .parts(5, &["ZZLAB", "application", "pdf", "Base64", &coded])
            .raw(11, status)
            .raw(14, &desk.time(received(report))),
    );
}

/// Builds one order with this many results, for benchmarks.
pub(crate) fn many(
    desk: &Desk<'_>,
    draft: &mut Draft,
    (number, n_obx): (u64, usize),
    random: &mut Random,
) {
    let report = Report {
        number: format!("B{number}"),
        collected: desk.at.plus(-2 * 60 * MINUTE),
        study: Study::Panel(Panel::Metabolic),
        stage: Stage::Final,
        values: random.next(),
    };
    request(
        desk,
        draft,
        &report,
        (["51990-0", "Basic metabolic panel - Blood"], "LAB"),
    );
    let table = METABOLIC.iter().chain(&BLOOD_COUNT).chain(&LIPIDS).cycle();
    for (idx, analyte) in table.take(n_obx).enumerate() {
        let (middle, deviation) = analyte.healthy();
        let value = format!(
            "{:.*}",
            analyte.decimals,
            random.normal(middle, deviation * 2.0)
        );
        draft.push(result(desk, (idx + 1, analyte), &value, &report));
    }
}
