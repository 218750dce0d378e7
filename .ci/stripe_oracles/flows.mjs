// Drives the flows of flows.json with stripe-node, verifies every webhook with its constructEvent, and leaves the
// twin's end state in a file. Usage: node flows.mjs TWIN_URL OUTPUT_FILE
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, createServer } from 'node:http';
import Stripe from 'stripe';

const [base, output] = process.argv.slice(2);
const { hostname, port } = new URL(base);
const stripe = new Stripe('sk_test_oracle', {
  host: hostname, port, protocol: 'http', maxNetworkRetries: 0, telemetry: false, httpAgent: new Agent({ keepAlive: false }),
});
const SECRETS = ['whsec_old', 'whsec_new'];
const problems = [];
const received = [];
const answers = [];
const calls = [];

// Methods that the SDK names otherwise than by resource and verb.
const NAMES = {
  'transfers.reversals.create': 'transfers.createReversal',
  'transfers.reversals.list': 'transfers.listReversals',
  'accounts.login_links.create': 'accounts.createLoginLink',
};
const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());

function look(value, path) {
  return path.split('.').reduce((found, name) => (found === null || found === undefined ? undefined : found[name]), value);
}

function fill(template, saved) {
  if (typeof template === 'string') return template.replace(/\$\{([^}]+)\}/g, (_, path) => String(look(saved, path)));
  if (Array.isArray(template)) return template.map((item) => fill(item, saved));
  if (template && typeof template === 'object') {
    return Object.fromEntries(Object.entries(template).map(([name, value]) => [name, fill(value, saved)]));
  }
  return template;
}

async function control(path, body) {
  const answer = await fetch(`${base}/_twin/${path}`, { method: 'POST', body: JSON.stringify(body ?? null) });
  const value = await answer.json();
  if (!answer.ok) throw new Error(`control ${path}: ${JSON.stringify(value)}`);
  return value;
}

async function open(url, form) {
  const answer = await fetch(url, { method: 'POST', body: new URLSearchParams(form), redirect: 'manual' });
  return { status: answer.status, location: answer.headers.get('location') };
}

async function call(step) {
  const names = (NAMES[step.call] ?? step.call).split('.').map(camel);
  const method = names.pop();
  const resource = names.reduce((found, name) => found[name], stripe);
  // What is wrong on purpose can't be held against the types.
  const wrong = step.error?.code?.startsWith('parameter_');
  if (!wrong) calls.push({ name: [...names, method].join('.'), ids: step.ids ?? [], params: step.params ?? {} });
  const options = { maxNetworkRetries: step.options?.retries ?? 0 };
  if (step.options?.idempotency_key) options.idempotencyKey = step.options.idempotency_key;
  if (step.options?.stripe_account) options.stripeAccount = step.options.stripe_account;
  const answer = await resource[method](...(step.ids ?? []), step.params ?? {}, options);
  answers.push(answer);
  return answer;
}

async function run(step) {
  if (step.control) return control(step.control, step.body);
  if (step.open) return open(step.open, step.form);
  return call(step);
}

function compare(where, expected, actual) {
  for (const [path, value] of Object.entries(expected)) {
    const found = look(actual, path);
    if (JSON.stringify(found) !== JSON.stringify(value)) {
      problems.push(`${where}: ${path} is ${JSON.stringify(found)} instead of ${JSON.stringify(value)}`);
    }
  }
}

async function flow({ name, steps }) {
  const saved = {};
  for (const [index, template] of steps.entries()) {
    const step = fill(template, saved);
    const where = `${name}, step ${index + 1}`;
    try {
      const value = await run(step);
      if (step.error) problems.push(`${where}: succeeded instead of ${JSON.stringify(step.error)}`);
      if (step.as) saved[step.as] = value;
      compare(where, step.expect ?? {}, value);
    } catch (error) {
      if (!step.error) {
        problems.push(`${where}: ${error.message}`);
        return;
      }
      const raw = error.raw ?? {};
      compare(where, step.error, { status: error.statusCode, code: raw.code, decline_code: raw.decline_code, type: error.rawType });
      if (!error.requestId) problems.push(`${where}: the error has no request id`);
    }
  }
  await control('webhooks/deliver');
}

// Every delivery must pass with either secret, and fail with another or with a changed body.
function verify(body, header) {
  const event = stripe.webhooks.constructEvent(body, header, SECRETS[0]);
  stripe.webhooks.constructEvent(body, header, SECRETS[1]);
  const forged = [[body, 'whsec_other'], [body.replace('"livemode": false', '"livemode": true'), SECRETS[0]]];
  for (const [changed, secret] of forged) {
    let accepted = true;
    try { stripe.webhooks.constructEvent(changed, header, secret); } catch { accepted = false; }
    if (accepted) problems.push(`${event.id}: a forged webhook was accepted`);
  }
  received.push(event.id);
}

const receiver = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    try {
      verify(Buffer.concat(parts).toString(), request.headers['stripe-signature']);
    } catch (error) {
      problems.push(`webhook: ${error.message}`);
    }
    response.end();
  });
});
await new Promise((resolve) => receiver.listen(0, '127.0.0.1', resolve));

await control('webhooks/plan', { automatic: false, signature_time: 'wall' });
await control('webhooks/endpoints', [{ url: `http://127.0.0.1:${receiver.address().port}/`, secrets: SECRETS }]);
const flows = JSON.parse(readFileSync(new URL('flows.json', import.meta.url)));
for (const each of flows) await flow(each);
const dump = await control('dump');
const events = dump.objects.event.map((event) => event.id);
if (JSON.stringify(events) !== JSON.stringify(received)) {
  problems.push(`${received.length} webhooks were received for ${events.length} events, or in another order`);
}
writeFileSync(output, JSON.stringify({ dump, requests: await control('requests'), answers, calls }));
receiver.close();
receiver.closeAllConnections();
problems.forEach((problem) => console.error(problem));
console.log(`stripe-node: ${flows.length} flows, ${received.length} webhooks verified, ${problems.length} problems`);
process.exitCode = problems.length ? 1 : 0;
