//! The built-in maps hold together.

use mapping::{MapSet, Source};

fn files() -> Vec<(String, String)> {
    fn collect(folder: &std::path::Path, root: &std::path::Path, out: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                collect(&path, root, out);
            } else {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                out.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../maps");
    let mut out = Vec::new();
    collect(&root, &root, &mut out);
    out.sort();
    out
}

#[test]
fn have_no_errors() {
    let files = files();
    let (_, diagnostics) = MapSet::read(files.iter().map(|(a, b)| (a.as_str(), b.as_str())));
    let errors: Vec<String> = diagnostics.iter().map(ToString::to_string).collect();
    assert!(errors.is_empty(), "{}", errors.join("\n"));
}

#[test]
fn show() {
    let text = "MSH|^~\\&|LAB|NORTH|EHR|HOSP|20240105101600-0600||ORU^R01^ORU_R01|1|P|2.5.1\rPID|1||123^^^HOSP^MR||ZZTEST^JANE^Q R^^^^L||19800102|F|||1 TEST ST^^TESTVILLE^IL^60000^USA^H||^PRN^PH^^1^555^5550100|||M\rOBR|1|A1|F1|24323-8^CMP^LN|||20240105\rOBX|1|NM|2345-7^Glucose^LN||7.20|mmol/L^mmol/L^UCUM|3.9-5.5|H|||F|||20240105101500-0600\rOBX|2|SN|2345-7^Glucose^LN||<^2|mg/dL|||||Q\r";
    let message = hl7v2::Message::parse(text.as_bytes().to_vec());
    let conversion = MapSet::builtin().forward(&message, &Source::default());
    eprintln!("{:#?}", conversion.report);
    for draft in &conversion.drafts {
        eprintln!("{:?} {:?} {}", draft, draft.keys, String::from_utf8(draft.value().to_bytes()).unwrap());
        for line in draft.apply(None).lineage { eprintln!("   {line:?}"); }
    }
}
