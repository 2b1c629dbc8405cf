#!/bin/sh
# Library:   @lhncbc/ucum-lhc 7.1.3 (npm), the UCUM validator of the National Library of Medicine.
# Behaviour: the units in which laboratories write blood counts and antibody results are valid UCUM of something else.
#            `validateUnitString` says "valid", without a warning or suggestion, and names a unit of physics:
#              G/L    giga per liter, leukocytes, French and Swiss laboratories   -> Gauss per liter
#              T/L    tera per liter, erythrocytes                                -> tesla per liter
#              K/uL   thousand per microliter, leukocytes, US laboratories        -> Kelvin per microliter
#              TH/uL  thousand per microliter                                     -> terahenry per microliter
#              AU/mL  arbitrary units of an antibody                              -> astronomic unit per milliliter
#            The unit that is meant, as it is mostly written, is refused: x10^9/L, M/uL, IU/L are invalid.
#            So "valid UCUM" does not mean that a sender's unit may be given the system http://unitsofmeasure.org:
#            a quantity would be converted and compared as another one.
# Seen:      2026-11-28, Node 20 or newer; the output is the table below.
# Fails      when a later state of the package (it is pinned) or of its tables answers otherwise.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --prefix "$dir" @lhncbc/ucum-lhc@7.1.3 >/dev/null
cat > units.cjs <<'JS'
const units = require('@lhncbc/ucum-lhc').UcumLhcUtils.getInstance();
for (const text of ['G/L', 'T/L', 'K/uL', 'TH/uL', 'AU/mL', 'x10^9/L', 'M/uL', 'IU/L', '10*9/L']) {
  const told = units.validateUnitString(text, true);
  const name = told.status === 'valid' ? told.unit.name : '-';
  console.log(`${text} | ${told.status} | ${name} | ${(told.suggestions || []).length && told.status === 'valid' ? 'warned' : '-'}`);
}
JS
node units.cjs > seen
cat > expected <<'TXT'
G/L | valid | Gauss/Liters | -
T/L | valid | tesla/Liters | -
K/uL | valid | [degree Kelvin]/microliter | -
TH/uL | valid | terahenry/microliter | -
AU/mL | valid | [astronomic unit]/milliliter | -
x10^9/L | invalid | - | -
M/uL | invalid | - | -
IU/L | invalid | - | -
10*9/L | valid | billion per liter | -
TXT
diff expected seen
echo "as described: valid UCUM, and another quantity"
