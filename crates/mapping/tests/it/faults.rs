//! Errors in maps are found when they are loaded, with their position and a remedy (law 6).

use mapping::MapSet;

#[track_caller]
fn check(clause: &str, text: &str, expected: &str) {
    let (set, mut found) = MapSet::read([("t.map", text)]);
    found.extend(set.check());
    let all: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        all.iter().any(|one| one.starts_with(expected)),
        "{clause}: {all:#?}"
    );
}

const SEX: &str = "codes Sex HL70001 <-> administrative-gender\nF <-> female\n";

#[test]
fn paths_types_and_cardinalities() {
    check(
        "element",
        "segment PID <-> Patient\nPID-7 <-> birthday",
        "t.map:2:11 error: Patient has no element birthday",
    );
    check(
        "choice",
        "segment PID <-> Patient\nPID-29 <-> deceased",
        "t.map:2:12 error: Patient has no element deceased\n  Write: deceasedBoolean or deceasedDateTime",
    );
    check(
        "resource",
        "segment PID <-> Person2\n",
        "t.map:1:1 error: FHIR R4 has no type Person2",
    );
    check(
        "once",
        "segment PID <-> Patient\nPID-7 <-> birthDate[*]",
        "t.map:2:11 error: Patient.birthDate occurs once",
    );
    check(
        "repeats",
        "segment PID <-> Patient\nPID-8[*] <-> gender : code",
        "t.map:2:14 error: the repeats of a field cannot all go into one element",
    );
    check(
        "converter",
        "segment PID <-> Patient\nPID-5[*] <-> name[*] : XPN",
        "t.map:2:24 error: there is no converter XPN for a HumanName",
    );
    check(
        "misfit",
        "segment PID <-> Patient\nPID-7 <-> gender : date",
        "t.map:2:20 error: date does not make a code",
    );
    check(
        "table",
        "segment PID <-> Patient\nPID-8 <-> gender : codes Sex",
        "t.map:2:20 error: there is no code table Sex",
    );
    check(
        "field",
        "segment PID <-> Patient\nPID-99 <-> gender",
        "t.map:2:1 error: no version of HL7 v2 has PID-99",
    );
    check(
        "reference",
        "segment PV1 <-> Encounter\nPV1-7 -> participant[+].individual",
        "t.map:2:1 error: a reference must name its target",
    );
    check(
        "told",
        "segment PV1 <-> Encounter\nPV1-4 -> type{coding = X}.text",
        "t.map:2:",
    );
}

#[test]
fn codes() {
    let text = format!("{SEX}segment PID <-> Patient\nPID-8 <-> gender : codes Sex\nZ <-> q");
    check(
        "not in the value set",
        &text.replace("F <-> female", "F <-> woman"),
        "t.map:4:1 error: Sex leads to woman, but gender allows only",
    );
    let status = "codes Status HL70085 <-> observation-status\nF <-> final\nsegment OBX <-> Observation\nOBX-11 <-> status : codes Status";
    check(
        "required without a row",
        status,
        "t.map:4:1 error: OBX-11 codes ",
    );
    let twice = "codes Sex HL70001 <-> administrative-gender\nF <-> female\nW <-> female\n";
    check(
        "two spellings back",
        twice,
        "t.map:3:1 error: Sex: two `<->` rows lead to female\n  Write: W -> female",
    );
}

#[test]
fn inversion() {
    let text = "type CWE <-> CodeableConcept\n.9 <-> text\nsegment NK1 <-> RelatedPerson\nNK1-3 <-> relationship[+] : CWE\nNK1-7 <-> relationship[+] : CWE\n";
    check(
        "two rows take one list",
        text,
        "t.map:5:1 error: cannot run back: NK1-3 (line 4) and NK1-7 both take relationship.\n  Write: -> on one, or tell them apart",
    );
    check(
        "one-way converter",
        "segment MSH <-> MessageHeader\nMSH-3 <-> source.endpoint : endpoint",
        "t.map:2:1 error: cannot run back: endpoint only goes forward",
    );
}

#[test]
fn messages() {
    let maps = "segment OBX <-> Observation\nOBX-3 <-> code.text : text\n";
    let text = format!(
        "{maps}message ORU_R01 -> Bundle\nOBX -> Observation as results\n  owns, subject = patient\n"
    );
    check(
        "label",
        &text,
        "t.map:5:9 error: no resource is labelled patient",
    );
    let text = format!("{maps}message ORU_R01 -> Bundle\nOBX -> Observation as results\n");
    check(
        "required",
        &text,
        "t.map:4:1 error: Observation.status is required, but no row writes it",
    );
    check("key", &text, "t.map:4:1 warning: results has no key");
    check(
        "map",
        "message ORU_R01 -> Bundle\nOBX -> Observation as results\n",
        "t.map:2:1 error: there is no map segment OBX <-> Observation",
    );
}

#[test]
fn dialects() {
    let base =
        "choice NK1 = RelatedPerson | contact\nsegment PID <-> Patient\nPID-7 <-> birthDate\n";
    let text = |row: &str| format!("{base}dialect LABY extends v2\n{row}\n");
    check(
        "zone",
        &text("zone \"Mars/Olympus\""),
        "t.map:5:1 error: no such time zone",
    );
    check(
        "choice",
        &text("choice NK1 = cousin"),
        "t.map:5:1 error: choice NK1 has no option cousin",
    );
    check(
        "visits",
        &text("visits by bed"),
        "t.map:5:11 error: a visit without a number cannot be identified by bed\n  \
         Write: visits by account, visits by admission, visits by either or visits by none",
    );
    check(
        "meaning",
        &text("PID-7 means received"),
        "t.map:5:1 error: no map says what `received` means",
    );
    check(
        "replace",
        &text("replace PID-8 -> gender : code"),
        "t.map:5:1 error: the base has no such row",
    );
}

#[test]
fn slices_and_guards() {
    let types = "type XTN <-> ContactPoint\n.1 <-> value : text\n";
    let text = format!(
        "{types}segment PID <-> Patient\nPID-13[*] <-> telecom[*]{{use default home, also mobile}} : XTN\nPID-14[*] <-> telecom[*]{{use default work, also mobile}} : XTN\n"
    );
    check(
        "slices overlap",
        &text,
        "t.map:5:1 error: slices of telecom overlap: PID-13 (line 4) and PID-14 both take use mobile\n  Write: each value in one of them",
    );
    check(
        "guards overlap",
        "segment PID <-> Patient\nPID-6 -> maritalStatus.text : text when PID-8 = F\nPID-7 -> maritalStatus.text : text when PID-8 in (F, M)\n",
        "t.map:3:1 warning: PID-6 (line 2) and PID-7 can both write text; the later one wins",
    );
    check(
        "guards leave a case out",
        "segment OBX <-> Observation\nOBX-5 <-> valueString : text when OBX-2 = ST\nOBX-5 <-> valueQuantity.value : number when OBX-2 = NM and OBX-11 valued\n",
        "t.map:2:1 warning: no row takes OBX-5 where OBX-2 is empty",
    );
    check(
        "guards leave a case of two out",
        "segment OBX <-> Observation\nOBX-5 <-> valueString : text when OBX-2 != NM\nOBX-5 <-> valueQuantity.value : number when OBX-2 = NM and OBX-11 valued\n",
        "t.map:2:1 warning: no row takes OBX-5 where OBX-2 is NM and OBX-11 is empty",
    );
}

/// A row that fills one distinguished element, where another row can make that element too.
#[test]
fn rows_that_write_into_what_another_owns() {
    let types =
        "type CX <-> Identifier\n.1 <-> value : text\n.5 <-> type.coding{system = v2-0203}.code\n";
    let map = |rows: &str| {
        format!("{types}segment PID <-> Patient\nPID-3[*] <-> identifier[*] : CX\n{rows}\n")
    };
    check(
        "into what a data type can make",
        &map("PID-19 <-> identifier{type = SS}.value : text"),
        "t.map:6:1 error: PID-19 writes into identifier{type = SS}, which PID-3 (line 5) can make and owns: the later value would replace the earlier.\n  Write: what PID-3 never writes into the braces, such as identifier{type = SS, use = secondary}",
    );
    check(
        "into what an `each` can make",
        "segment PID <-> Patient\neach PID-3 <-> identifier[+]\n  .1 <-> value : text\n  .5 <-> use : code\nPID-19 <-> identifier{use = secondary}.value : text\n",
        "t.map:5:1 error: PID-19 writes into identifier{use = secondary}, which each (line 2) can make and owns",
    );
    for (clause, rows) in [
        (
            "told apart by more",
            "PID-19 <-> identifier{type = SS, use = secondary}.value : text",
        ),
        (
            "an element of its own",
            "PID-18 -> identifier[+]{type = AN} : CX",
        ),
        (
            "two parts of one slice",
            "PID-20.1 <-> identifier{type = DL, use = old}.value : text\nPID-20.3 <-> identifier{type = DL, use = old}.period.end : dateTime",
        ),
    ] {
        let (set, _) = MapSet::read([("t.map", map(rows).as_str())]);
        let all: Vec<String> = set.check().iter().map(ToString::to_string).collect();
        assert!(
            !all.iter().any(|one| one.contains("writes into")),
            "{clause}: {all:?}"
        );
    }
    let guarded = "segment PID <-> Patient\nPID-3[*] -> identifier[*] : CX when PID-3 valued\nPID-19 -> identifier{type = SS}.value : text when PID-3 empty\n";
    let (set, _) = MapSet::read([("t.map", format!("{types}{guarded}").as_str())]);
    let all: Vec<String> = set.check().iter().map(ToString::to_string).collect();
    assert!(
        !all.iter().any(|one| one.contains("writes into")),
        "never together: {all:?}"
    );
}

#[test]
fn guards_that_leave_nothing_out_are_silent() {
    let text = "segment OBX <-> Observation\nOBX-5 <-> valueString : text when OBX-2 = ST\nOBX-5 drop \"of no use\" when OBX-2 != ST\n";
    let (set, _) = MapSet::read([("t.map", text)]);
    let all: Vec<String> = set.check().iter().map(ToString::to_string).collect();
    assert!(
        !all.iter().any(|one| one.contains("no row takes")),
        "{all:#?}"
    );
}

#[test]
fn fields_keys_and_groups() {
    check(
        "fields nobody accounts for",
        "segment NTE <-> Observation\nNTE-1 drop \"a counter\"\nNTE-2 drop \"a source\"\n",
        "t.map:1:1 warning: no row accounts for NTE-3, NTE-4",
    );
    check(
        "a key that may be empty",
        "segment OBX <-> Observation\nOBX-3 <-> code.text : text\nset status = final\nmessage ORU_R01 -> Bundle\nOBX -> Observation as results\n  key OBX-4\n",
        "t.map:5:1 warning: the key of results may be empty",
    );
    check(
        "by groups segments by their own field",
        "segment OBX <-> Immunization\neach OBX by RXA-3 <-> education[+]\n  OBX-5 <-> documentType : text\n",
        "t.map:2:13 error: `by` names a field of the segments that it groups\n  Write: each OBX by OBX-4",
    );
}

#[test]
fn functions() {
    let base = "segment PID <-> Patient\nPID-7 <-> birthDate\n";
    let text = |rows: &str| format!("{base}dialect LABY extends v2\n{rows}\n");
    check(
        "the script's own place",
        &text("function f(text) = rhai \"text +\""),
        "t.map:4:32 error: function f: the script ends unexpectedly",
    );
    check(
        "an escaped quote before it",
        &text("function f(text) = rhai \"text == \\\"a\\\" && other\""),
        "t.map:4:43 error: function f: the script reads a variable that does not exist",
    );
    check(
        "a call into nowhere",
        &text("function f(text) = rhai \"open(text)\""),
        "t.map:4:26 error: function f: the script calls a function that does not exist for these values",
    );
    check(
        "a name that is taken",
        &text("function date(text) = rhai \"text\""),
        "t.map:4:1 error: a converter date exists already\n  Write: another name",
    );
    check(
        "no way back",
        &text("function f(text) = rhai \"text\"\nreplace PID-7 <-> birthDate : f"),
        "t.map:5:9 error: cannot run back: function f has no `back`\n  Write: -> on this row, or: back \"…\" after its script",
    );
    check(
        "a script in a row",
        "segment PID <-> Patient\nPID-7 -> birthDate : rhai",
        "t.map:2:",
    );
}

/// A list of a message map: its owner and its end.
#[test]
fn lists_of_message_maps() {
    let with = |lines: &str| {
        format!(
            "segment PID <-> Patient\nPID-3[*] -> identifier[*].value : text\n\
             segment AL1 <-> AllergyIntolerance\nAL1-3 -> code.text : text\n\
             message ADT_A01 -> Bundle\nPID -> Patient as patient\n  key identifier, owns\n\
             AL1 -> AllergyIntolerance as allergies\n{lines}"
        )
    };
    let key = "  key patient, AL1-3\n";
    for (clause, lines, expected) in [
        (
            "nobody's",
            format!("{key}  owns, snapshot of person\n  end clinicalStatus = absent\n"),
            "t.map:10:21 error: no resource is labelled person",
        ),
        (
            "no end",
            format!("{key}  owns, snapshot of patient\n"),
            "t.map:10:9 error: nothing says what happens to an entry that is no longer listed",
        ),
        (
            "no list",
            format!("{key}  owns\n  end clinicalStatus = absent\n"),
            "t.map:11:3 error: `end`, `none when` and `ended when` belong to a list",
        ),
        (
            "not owned",
            format!("{key}  only links, snapshot of patient\n  end clinicalStatus = absent\n"),
            "t.map:10:15 error: a list may end its entries, so its sender must own them",
        ),
        (
            "no key",
            "  owns, snapshot of patient\n  end clinicalStatus = absent\n".to_owned(),
            "t.map:9:9 error: an entry of a list is identified by its key",
        ),
        (
            "within an element",
            format!("{key}  owns, snapshot of patient\n  end code.text = gone\n"),
            "t.map:11:3 error: `end` sets an element of the resource itself",
        ),
        (
            "an element that is not there",
            format!("{key}  owns, snapshot of patient\n  end active = false\n"),
            "t.map:11:7 error: AllergyIntolerance has no element active",
        ),
    ] {
        check(clause, &with(&lines), expected);
    }
}
