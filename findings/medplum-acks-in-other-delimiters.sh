#!/bin/sh
# Library:   @medplum/core 4.5.2 (npm), Hl7Message.parse and Hl7Message.buildAck.
# Behaviour: the acknowledgement takes over the message's own delimiters (MSH-1, MSH-2), but writes MSH-9 with a `^`
#            of its own. To a message whose component separator is `;` (HL7 v2.5.1 2.5.4: a sender may choose; some
#            hospital systems send `MSH:;~\&`) it answers with the type `ACK^A08` in one component, which is no type.
#            MSH-11 is always P: a test or training message (T, D) is answered as one of production. With the usual
#            delimiters and P nothing of it shows.
# Seen:      2026-11-28, Node 20 or newer:
#              MSH:;~\&:CW:CW:ST01:W:<now>::ACK^A08:<id>:P:2.2
#              MSH|^~\&|CW|CW|ADT|H|<now>||ACK^A08^ACK|<id>|P|2.5.1      (the message had T)
#            PyPI hl7 0.4.5 (create_ack) answers the same two messages with ACK;A08;ACK and with T.
# Fails      when a later state of the packages (they are pinned) answers otherwise.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @medplum/core@4.5.2 >/dev/null
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install --quiet --disable-pip-version-check hl7==0.4.5
cat > ack.cjs <<'JS'
const { Hl7Message } = require('@medplum/core');
const messages = [
  'MSH:;~\\&:ST01:W:CW:CW:20240117123413::ADT;A08:1:P:2.2\rPID:::5\r',
  'MSH|^~\\&|ADT|H|CW|CW|20240517120000||ADT^A08^ADT_A01|2|T|2.5.1\rPID|||5^^^H^MR\r',
];
for (const text of messages) {
  const fields = Hl7Message.parse(text).buildAck().toString().split('\r')[0].split(text[3]);
  console.log(`medplum MSH-9 ${fields[8]} MSH-11 ${fields[10]}`);
}
JS
cat > ack.py <<'PY'
import hl7
for text in ("MSH:;~\\&:ST01:W:CW:CW:20240117123413::ADT;A08:1:P:2.2\rPID:::5\r",
             "MSH|^~\\&|ADT|H|CW|CW|20240517120000||ADT^A08^ADT_A01|2|T|2.5.1\rPID|||5^^^H^MR\r"):
    fields = str(hl7.parse(text).create_ack()).split("\r")[0].split(text[3])
    print("hl7 MSH-9", fields[8], "MSH-11", fields[10])
PY
{ node ack.cjs; "$dir/venv/bin/python" ack.py; } > seen
cat > expected <<'TXT'
medplum MSH-9 ACK^A08 MSH-11 P
medplum MSH-9 ACK^A08^ACK MSH-11 P
hl7 MSH-9 ACK;A08;ACK MSH-11 P
hl7 MSH-9 ACK^A08^ACK MSH-11 T
TXT
diff expected seen
echo "as described: another separator, and production"
