//! Microbiology: text first, then the organism grown and its susceptibilities.

use super::{received, request};
use crate::draft::{Desk, Draft};
use crate::event::{Report, Stage};
use crate::lines::{Line, parts};
use crate::random::Random;

/// LOINC code, name, and the concentrations (mg/L) up to which an organism is susceptible and intermediate.
struct Drug {
    code: &'static str,
    name: &'static str,
    susceptible: f64,
    intermediate: f64,
}

const ORGANISMS: [[&str; 2]; 3] = [
    ["112283007", "Escherichia coli"],
    ["56415008", "Klebsiella pneumoniae"],
    ["73457008", "Proteus mirabilis"],
];

#[rustfmt::skip]
const DRUGS: [Drug; 5] = [
    Drug { code: "18906-8", name: "Ciprofloxacin [Susceptibility]", susceptible: 0.25, intermediate: 0.5 },
    Drug { code: "18928-2", name: "Gentamicin [Susceptibility]", susceptible: 2.0, intermediate: 4.0 },
    Drug { code: "18895-3", name: "Ceftriaxone [Susceptibility]", susceptible: 1.0, intermediate: 2.0 },
    Drug { code: "18864-9", name: "Ampicillin [Susceptibility]", susceptible: 8.0, intermediate: 16.0 },
    Drug { code: "18998-5", name: "Trimethoprim+Sulfamethoxazole [Susceptibility]", susceptible: 2.0, intermediate: 2.0 },
];

const CONCENTRATIONS: [f64; 8] = [0.12, 0.25, 0.5, 1.0, 2.0, 4.0, 16.0, 32.0];

/// Builds ORC, OBR and the results of a culture.
pub(super) fn lines(
    desk: &Desk<'_>,
    draft: &mut Draft,
    report: &Report,
    (is_blood, grows): (bool, bool),
) {
    let culture = if is_blood {
        ["600-7", "Bacteria identified in Blood by Culture"]
    } else {
        ["630-4", "Bacteria identified in Urine by Culture"]
    };
    request(desk, draft, report, (culture, "MB"));
    let [code, name] = culture;
    let mut random = Random::new(report.values, 2);
    let [organism, organism_name] = random.pick(&ORGANISMS);
    let is_preliminary = report.stage == Stage::Preliminary;
    if is_preliminary {
        let text = if grows {
            "Gram-negative rods seen.\\.br\\Identification follows."
        } else {
            "No growth after 24 hours."
        };
        let stain = Line::new("OBX").raw(1, "1").raw(2, "FT").parts(
            3,
            &[
                "664-3",
                "Microscopic observation [Identifier] in Specimen by Gram stain",
                "LN",
            ],
        );
        let stain = stain.raw(5, text);
        push(desk, draft, report, stain);
        return;
    }
    if !grows {
        let line = Line::new("OBX")
            .raw(1, "1")
            .raw(2, "TX")
            .parts(3, &[code, name, "LN"]);
        push(
            desk,
            draft,
            report,
            line.raw(4, "1").raw(5, "No growth after 48 hours."),
        );
        return;
    }
    let line = Line::new("OBX")
        .raw(1, "1")
        .raw(2, desk.station.coded_type())
        .parts(3, &[code, name, "LN"]);
    let line = line
        .raw(4, "1")
        .parts(5, &[organism, organism_name, "SCT"])
        .raw(8, "A");
    push(desk, draft, report, line);
    for (idx, drug) in DRUGS.iter().enumerate() {
        let concentration = random.pick(&CONCENTRATIONS);
        let line = Line::new("OBX")
            .raw(1, &(idx + 2).to_string())
            .raw(2, "SN")
            .parts(3, &[drug.code, drug.name, "LN"])
            .raw(4, "1")
            .raw(
                5,
                &parts(&[
                    if concentration < 0.2 { "<=" } else { "" },
                    &concentration.to_string(),
                ]),
            )
            .parts(6, &["mg/L", "mg/L", "UCUM"])
            .raw(8, drug.verdict(concentration));
        push(desk, draft, report, line);
    }
    draft.push(
        Line::new("NTE")
            .raw(1, "1")
            .raw(2, "L")
            .text(3, "Colony count >100,000 CFU/mL; read & confirmed twice."),
    );
}

fn push(desk: &Desk<'_>, draft: &mut Draft, report: &Report, line: Line) {
    let (status, _) = report.stage.codes();
    draft.push(line.raw(11, status).raw(14, &desk.time(received(report))));
}

// === impl Drug ===

impl Drug {
    /// Interprets a concentration (table 0078).
    fn verdict(&self, concentration: f64) -> &'static str {
        if concentration <= self.susceptible {
            "S"
        } else if concentration <= self.intermediate {
            "I"
        } else {
            "R"
        }
    }
}
