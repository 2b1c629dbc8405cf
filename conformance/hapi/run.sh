#!/usr/bin/env bash
# What HAPI says of what Causeway makes: FHIR R4 errors of the Bundles (HAPI FHIR, no terminology server), and which of the
# HL7 v2 messages written back HAPI HL7 v2 does not read. Run by hand: it fetches the two from Maven.
#
#   conformance/hapi/run.sh CAUSEWAY OUT FOLDER...     CAUSEWAY the binary, OUT a folder for the results, FOLDERs of *.hl7
#
# Errors that stay, with their number and reason, are in accepted.tsv (of hl7v2-pairs, hl7v2-samples and cases). Exit code: 0
# every error is one of these and every message is read, 1 otherwise.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
causeway=$1 out=$2
shift 2
mkdir -p "$out/fhir" "$out/v2"
[ -d "$out/lib" ] || mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies -DoutputDirectory="$(cd "$out" && pwd)/lib"

# The structure of a message without MSH-9.3 (HL7 v2 2.5.1, table 0354).
structure() {
  local code event told
  IFS='^' read -r code event told <<<"$(tr '\r' '\n' <"$1" | awk -F'|' '/^MSH/ { print $9; exit }')"
  [ -n "${told:-}" ] && { echo "$told"; return; }
  case "$code^${event:-}" in
    ADT^A0[148] | ADT^A13) echo ADT_A01 ;;
    ADT^A05 | ADT^A14 | ADT^A28 | ADT^A31) echo ADT_A05 ;;
    ADT^A0[67]) echo ADT_A06 ;;
    ADT^A09 | ADT^A1[01]) echo ADT_A09 ;;
    ADT^A40) echo ADT_A39 ;;
    SIU^*) echo SIU_S12 ;;
    *) echo "${code}_${event:-}" ;;
  esac
}

convert_one() {
  local file=$1 name made="$out/made.$BASHPID"
  name=$(echo "${file#/}" | tr '/ ' '__')
  "$causeway" convert "$file" >"$made" 2>/dev/null || { rm -f "$made"; return 0; }
  # A file of several messages is a Bundle a line.
  if [ "$(head -c 2 "$made")" = '{"' ]; then
    split -l 1 --additional-suffix=.json "$made" "$out/fhir/$name."
  else
    cp "$made" "$out/fhir/$name.json"
    "$causeway" convert --to hl7v2 --structure "$(structure "$file")" "$made" >"$out/v2/$name" 2>/dev/null || rm -f "$out/v2/$name"
  fi
  rm -f "$made"
}
export -f convert_one structure
export causeway out

rm -f "$out"/fhir/* "$out"/v2/*
find "$@" -name '*.hl7' -print0 | sort -z | xargs -0 -P "$(nproc)" -I {} bash -c 'convert_one "$1"' - {}
status=0
find "$out/fhir" -name '*.json' -print0 | sort -z | xargs -0 -n 2000 java -cp "$out/lib/*" "$here/Check.java" fhir "$here/accepted.tsv" >"$out/fhir.txt" || status=1
find "$out/v2" -type f -print0 | sort -z | xargs -0 -n 2000 java -cp "$out/lib/*" "$here/Check.java" v2 >"$out/v2.txt" || status=1
grep -m 1 'resources,' "$out/fhir.txt"
grep -P '^(not|more than) accepted\t' "$out/fhir.txt" || true
tail -n 1 "$out/v2.txt"
exit $status
