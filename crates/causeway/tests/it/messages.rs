//! Small synthetic messages.

pub const ADMISSION: &str = "MSH|^~\\&|ADT|HOSP|CW|CW|20260101120000-0600||ADT^A01^ADT_A01|A1|P|2.5.1\r\
    EVN|A01|20260101120000-0600\r\
    PID|1||123^^^HOSP^MR||ZZTEST^JANE^Q||19800102|F|||1 Test St^^Testville^IL^60000\r\
    PV1|1|I|WARD^1^A||||||||||||||||V1\r";

pub const RESULT: &str = "MSH|^~\\&|LAB|HOSP|CW|CW|20260102120000-0600||ORU^R01^ORU_R01|R1|P|2.5.1\r\
    PID|1||123^^^HOSP^MR||ZZTEST^JANE\r\
    OBR|1|P1|F1|58410-2^CBC^LN|||20260102110000-0600|||||||||||||||20260102115500-0600||LAB|F\r\
    OBX|1|NM|718-7^Hemoglobin^LN||10.20|g/dL^g/dL^UCUM|12.0-16.0|L|||F|||20260102110000-0600\r";

/// A report as PDF, one as RTF and one as HTML with active content.
pub const DOCUMENTS: &str = "MSH|^~\\&|LAB|HOSP|CW|CW|20260103120000-0600||ORU^R01^ORU_R01|D1|P|2.5.1\r\
    PID|1||123^^^HOSP^MR||ZZTEST^JANE\r\
    OBR|1|P2|F2|11502-2^Laboratory report^LN|||20260103110000-0600|||||||||||||||20260103115500-0600||LAB|F\r\
    OBX|1|ED|11502-2^Laboratory report^LN||LAB^application^pdf^Base64^JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+ZW5kb2JqCjIgMCBvYmo8PC9UeXBlL1BhZ2VzL0tpZHNbMyAwIFJdL0NvdW50IDE+PmVuZG9iagozIDAgb2JqPDwvVHlwZS9QYWdlL1BhcmVudCAyIDAgUi9NZWRpYUJveFswIDAgMjAwIDEwMF0+PmVuZG9iagp0cmFpbGVyPDwvUm9vdCAxIDAgUj4+||||||F\r\
    OBX|2|ED|18842-5^Discharge summary^LN||LAB^text^rtf^Base64^e1xydGYxIE5vIGFjdXRlIGZpbmRpbmcuXHBhciBTaWduZWQufQ==||||||F\r\
    OBX|3|ED|18748-4^Diagnostic imaging study^LN||LAB^text^html^Base64^PHA+THVuZ3MgY2xlYXI8L3A+PHNjcmlwdD5kb2N1bWVudC50aXRsZT0ncmFuJzwvc2NyaXB0Pg==||||||F\r";
