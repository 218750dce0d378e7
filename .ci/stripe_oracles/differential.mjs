// Asks the twin and npm `stripe-stateful-mock`, which other people wrote, the same random things about charges, refunds
// and idempotency keys. Every difference must have an explanation below, and every explanation must be needed.
// Usage: node differential.mjs TWIN_URL [OPERATIONS [SEED]]
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
require('loglevel').setLevel('silent');
const { createExpressApp } = require('stripe-stateful-mock');

const [twin, operations = '3000', seed = '1'] = process.argv.slice(2);

// What is compared of an answer. Texts of messages are not: they are prose, and differ by API version.
const CHARGE = ['object', 'amount', 'amount_captured', 'amount_refunded', 'captured', 'currency', 'description', 'disputed',
  'failure_code', 'livemode', 'metadata', 'paid', 'refunded', 'status'];
const REFUND = ['object', 'amount', 'currency', 'metadata', 'reason', 'status'];
const ERROR = ['type', 'code', 'param', 'decline_code'];

const EXPLANATIONS = [
  {
    reason: 'Refused parameters are not kept for a key (Stripe: results are saved once an endpoint has begun to execute); the mock keeps them.',
    covers: (op, field, ours, theirs, answers) => op.key && op.invalid
      && (field === 'replayed' ? theirs === 'true' : answers.theirs.error?.type === 'idempotency_error'),
  },
  {
    reason: 'The mock lets a capture exceed the authorized amount.',
    covers: (op) => op.name === 'capture too much',
  },
  {
    reason: 'The mock lets a charge be captured that was released before.',
    covers: (op) => op.name === 'capture what was released',
  },
  {
    reason: 'The mock does not name the parameter when a captured part is below the minimum.',
    covers: (op, field, ours, theirs, answers) => op.name === 'capture' && field === 'param' && ours === 'amount'
      && answers.theirs.error?.code === 'amount_too_small',
  },
];

let state = BigInt(seed) + 0x9e3779b97f4a7c15n;
function random(bound) {
  state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffffffffffffffffn;
  return Number((state >> 33n) % BigInt(bound));
}
const pick = (items) => items[random(items.length)];

async function ask(base, method, path, params, key) {
  const headers = { Authorization: 'Bearer sk_test_oracle', 'Content-Type': 'application/x-www-form-urlencoded' };
  if (key) headers['Idempotency-Key'] = key;
  const body = method === 'POST' ? new URLSearchParams(params).toString() : undefined;
  const answer = await fetch(`${base}/v1/${path}`, { method, headers, body });
  return { status: answer.status, replayed: answer.headers.get('idempotent-replayed'), body: await answer.json() };
}

function projection(answer) {
  const { body } = answer;
  const fields = body.error ? ERROR : body.object === 'refund' ? REFUND : CHARGE;
  const source = body.error ?? body;
  const picked = Object.fromEntries(fields.map((name) => [name, source[name] ?? null]));
  return { http: answer.status, replayed: answer.replayed, ...picked };
}

const unexplained = [];
const used = new Map();
let compared = 0;
function compare(op, ours, theirs) {
  const left = projection(ours);
  const right = projection(theirs);
  for (const field of new Set([...Object.keys(left), ...Object.keys(right)])) {
    compared += 1;
    const [mine, other] = [left[field] ?? null, right[field] ?? null];
    if (JSON.stringify(mine) === JSON.stringify(other)) continue;
    const found = EXPLANATIONS.findIndex(({ covers }) => covers(op, field, mine, other, { ours: ours.body, theirs: theirs.body }));
    if (found >= 0) used.set(found, (used.get(found) ?? 0) + 1);
    else unexplained.push(`${JSON.stringify(op)} ${field}: ours ${JSON.stringify(mine)}, theirs ${JSON.stringify(other)}`);
  }
}

const charges = [];
const sent = [];

function newCharge() {
  const params = { amount: String(pick([49, 50, 250, 1000, 10001, 99999999, 100000000, -5, 1 + random(200000)])), currency: pick(['usd', 'eur', 'dkk', 'EUR', 'sek', 'zzz']) };
  params.source = pick(['tok_visa', 'tok_visa', 'tok_visa', 'tok_mastercard', 'tok_chargeDeclined', 'tok_chargeDeclinedInsufficientFunds', 'tok_chargeDeclinedExpiredCard', 'tok_chargeDeclinedProcessingError']);
  if (random(4) === 0) params.capture = 'false';
  if (random(3) === 0) params['metadata[order]'] = `ord_${random(100)}`;
  if (random(9) === 0) delete params.currency;
  if (random(9) === 0) delete params.amount;
  return { name: 'charge', method: 'POST', path: () => 'charges', params };
}

function onCharge(name) {
  const charge = random(20) === 0 ? { ours: 'ch_nope', theirs: 'ch_nope', amount: 100 } : pick(charges);
  const more = name === 'capture' ? [] : [charge.amount + 1, 100000000];
  const part = String(pick([1 + random(charge.amount), charge.amount, 0, ...more]));
  const params = random(3) === 0 ? {} : { amount: part };
  if (name === 'refund') {
    if (random(3) === 0) params.reason = pick(['duplicate', 'requested_by_customer']);
    return { name, method: 'POST', path: () => 'refunds', params, charge };
  }
  if (name === 'capture' && charge.released) return onCharge('read');
  if (name === 'capture') return { name, method: 'POST', path: (side) => `charges/${charge[side]}/capture`, params };
  return { name, method: 'GET', path: (side) => `charges/${charge[side]}`, params: {} };
}

function next(number) {
  if (sent.length && random(6) === 0) {
    const again = { ...pick(sent.slice(-40)) };
    if (random(3) === 0) again.params = { ...again.params, description: 'changed' };
    return again;
  }
  const kind = charges.length < 3 ? 'charge' : pick(['charge', 'charge', 'refund', 'refund', 'refund', 'capture', 'read']);
  const op = kind === 'charge' ? newCharge() : onCharge(kind);
  if (op.method === 'POST' && random(2) === 0) op.key = `key:${number}`;
  return op;
}

async function perform(op, mock) {
  const side = (name) => ({ ...op.params, ...(op.charge ? { charge: op.charge[name] } : {}) });
  const ours = await ask(twin, op.method, op.path('ours'), side('ours'), op.key);
  const theirs = await ask(mock, op.method, op.path('theirs'), side('theirs'), op.key);
  op.invalid = ours.status === 400 && ['parameter_missing', 'parameter_invalid_integer', 'amount_too_small', 'amount_too_large', 'parameter_unknown', undefined].includes(ours.body.error?.code);
  compare(op, ours, theirs);
  if (op.key) sent.push(op);
  if (op.name === 'charge' && ours.status === 200 && theirs.status === 200 && !charges.some(({ ours: id }) => id === ours.body.id)) {
    charges.push({ ours: ours.body.id, theirs: theirs.body.id, amount: ours.body.amount });
  }
  const charge = op.charge ?? charges.at(-1);
  if (charge && charge.ours !== 'ch_nope') {
    const state = await ask(twin, 'GET', `charges/${charge.ours}`);
    compare({ name: 'state' }, state, await ask(mock, 'GET', `charges/${charge.theirs}`));
    charge.released = state.body.refunded && !state.body.captured;
  }
}

// Once each, on charges of their own: afterwards the two no longer agree on the charge.
async function performKnownGaps(mock) {
  const params = { amount: '1000', currency: 'eur', source: 'tok_visa', capture: 'false' };
  for (const name of ['capture too much', 'capture what was released', 'capture']) {
    const [ours, theirs] = [await ask(twin, 'POST', 'charges', params), await ask(mock, 'POST', 'charges', params)];
    if (name === 'capture what was released') {
      await ask(twin, 'POST', 'refunds', { charge: ours.body.id });
      await ask(mock, 'POST', 'refunds', { charge: theirs.body.id });
    }
    const amount = { 'capture too much': { amount: '1001' }, capture: { amount: '49' } }[name] ?? {};
    const answers = [await ask(twin, 'POST', `charges/${ours.body.id}/capture`, amount), await ask(mock, 'POST', `charges/${theirs.body.id}/capture`, amount)];
    compare({ name }, ...answers);
  }
}

const server = createServer(createExpressApp());
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const mock = `http://127.0.0.1:${server.address().port}`;
for (let number = 0; number < Number(operations); number += 1) await perform(next(number), mock);
await performKnownGaps(mock);
server.close();
server.closeAllConnections();

unexplained.slice(0, 20).forEach((line) => console.error(line));
EXPLANATIONS.forEach(({ reason }, index) => console.log(`explained ${used.get(index) ?? 0} times: ${reason}`));
const idle = EXPLANATIONS.filter((_, index) => !used.has(index));
if (idle.length) console.error(`${idle.length} explanations were never needed: remove them`);
console.log(`differential: ${operations} operations, ${compared} values compared, ${unexplained.length} unexplained differences`);
process.exitCode = unexplained.length || idle.length ? 1 : 0;
