//! Runs the fuzz targets with a seed, on every build.

use hl7v2::Message;
use mapping::{MapSet, fuzz};

const ORU: &str = "MSH|^~\\&|LAB|ZZLAB|EHR|ZZHOSP|20260105101500-0600||ORU^R01^ORU_R01|1|P|2.5.1\r\
    PID|1||123^^^HOSP^MR~9^^^&2.16.840.1.113883.19.5&ISO^PI||ZZTEST^JANE^Q||19800102|F|||1 A ST^^X^IL^60601\r\
    PV1|1|I|W^1^2^HOSP||||77^DOCTOR^ZED^^^^^^&2.16.840.1.113883.4.6&ISO|||||||||||V1^^^HOSP\r\
    ORC|RE|P1|F1\rOBR|1|P1|F1|24323-8^CMP^LN|||20260105101000||||||||||||||||||F\r\
    OBX|1|NM|2345-7^GLU^LN||7.2|mmol/L^^UCUM|3-5|H|||F\rNTE|1||as told\r\
    OBX|2|SN|2345-7^GLU^LN|1.2|<^3|||||P\rOBX|3|ED|1^PDF^99||^AP^PDF^Base64^JVBERi0=|||||F\rSPM|1|S1||SER";
const VXU: &str = "MSH|^~\\&|IZ|ZZIMM|||20260105||VXU^V04^VXU_V04|2|P|2.5.1\rPID|1||7^^^IZ^PI||ZZTEST^BOB||20200102|M\r\
    NK1|1|ZZTEST^ANN|MTH^^HL70063\rORC|RE||9^IZ\rRXA|0|1|20260105||08^HepB^CVX|0.5|mL^^UCUM||00^^NIP001|||||L1|20270101|MSD^M^MVX|||CP|A\r\
    RXR|IM^^HL70162|LA^^HL70163\rOBX|1|CE|64994-7^E^LN|1|V02^^HL70064||||||F\rOBX|2|TS|29768-9^V^LN|2|20200101||||||F";

struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Changes, moves, doubles or removes some bytes.
    fn change(&mut self, bytes: &mut Vec<u8>, signs: &[u8]) {
        for _ in 0..=self.below(8) {
            if bytes.is_empty() {
                return;
            }
            let at = self.below(bytes.len());
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, signs[self.below(signs.len())]),
                _ => {
                    let end = (at + self.below(40)).min(bytes.len());
                    let copy = bytes[at..end].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, copy);
                }
            }
        }
    }
}

#[test]
fn any_message_is_converted() {
    let mut chance = Chance(0x9E37_79B9_7F4A_7C15);
    for round in 0..400 {
        let mut bytes = [ORU, VXU][round % 2].as_bytes().to_vec();
        chance.change(&mut bytes, b"|^~\\&\r\"0");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert_eq!(fuzz::convert(&bytes), Ok(()), "{text:?}");
    }
}

#[test]
fn any_text_is_read_as_a_map() {
    let mut chance = Chance(0x2545_F491_4F6C_DD1D);
    let message = Message::parse(ORU);
    let dialect = "dialect SITE extends v2\nzone \"America/Chicago\"\nauthority \"N\" = \"urn:oid:1.2\"\n\
        OBX-14 means received\nchoice NK1 = contact\nreplace on Patient PID-10 -> extension(us-core-race).valueString : race\n\
        function race(text) = rhai \"let parts = text.split(\\\"^\\\"); if parts.len() > 1 { parts[1] } else { text }\"\n";
    let files = MapSet::builtin_files();
    for round in 0..60 {
        let mut bytes = if round % 2 == 0 {
            dialect.as_bytes().to_vec()
        } else {
            // One block of a built-in map, under an unused name.
            let (_, text) = files[chance.below(files.len())];
            let blocks: Vec<&str> = text.split("\n\n").collect();
            blocks[chance.below(blocks.len())].as_bytes().to_vec()
        };
        chance.change(&mut bytes, b"<->:|[]{}(),.*+=#\" \n-");
        fuzz::map(&bytes, &message);
    }
}
