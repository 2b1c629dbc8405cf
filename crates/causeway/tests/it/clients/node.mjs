// Sends files with npm @medplum/hl7 over one connection and prints what that library reads in the answers.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const [folder, host, port, ...files] = process.argv.slice(2);
const require = createRequire(`${folder}/index.js`);
const { Hl7Client } = require('@medplum/hl7');
const { Hl7Message } = require('@medplum/core');

const client = new Hl7Client({ host, port: Number(port) });
for (const file of files) {
  const answer = await client.sendAndWait(Hl7Message.parse(readFileSync(file, 'utf8')));
  const field = (segment, n) => answer.getSegment(segment)?.getField(n)?.toString() ?? '';
  const error = field('ERR', 3).split('^')[0];
  console.log([field('MSA', 1), field('MSA', 2), field('MSH', 5), field('MSH', 12), error].filter(Boolean).join(' '));
}
await client.close();
