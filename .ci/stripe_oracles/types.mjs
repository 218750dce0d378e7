// Holds every object, answer and event of an end state against the types of the official `stripe` package, then breaks
// them on purpose to see whether that is noticed. The requests of the flows are held against the types as well. Usage: node types.mjs STATE_FILE
import { readFileSync, writeFileSync } from 'node:fs';
import ts from 'typescript';

const DETECTED_PERCENT_MIN = 95;
const MUTATED_PER_KIND_MAX = 3;

const TYPES = {
  account: 'Account', account_link: 'AccountLink', balance: 'Balance', balance_settings: 'BalanceSettings', balance_transaction: 'BalanceTransaction',
  charge: 'Charge', 'checkout.session': 'Checkout.Session', customer: 'Customer', dispute: 'Dispute', event: 'Event',
  item: 'LineItem', login_link: 'LoginLink', payment_intent: 'PaymentIntent', payment_method: 'PaymentMethod',
  payout: 'Payout', refund: 'Refund', transfer: 'Transfer', transfer_reversal: 'TransferReversal',
};

function typeOf(value) {
  if (value.object === 'list') {
    const kind = value.data[0]?.object;
    return `Stripe.ApiList<${kind ? typeOf(value.data[0]) : 'never'}>`;
  }
  if (!TYPES[value.object]) throw new Error(`no type for ${value.object}`);
  return `Stripe.${TYPES[value.object]}`;
}

const OPTIONS = {
  strict: true, exactOptionalPropertyTypes: true, noEmit: true, skipLibCheck: true, types: ['node'],
  module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, target: ts.ScriptTarget.ES2022,
};

// Compiles statements; an error belongs to the statement around it.
function compile(file, head, statements) {
  const starts = [];
  let text = head;
  for (const statement of statements) {
    starts.push(text.length);
    text += statement;
  }
  writeFileSync(file, text);
  const program = ts.createProgram([file], OPTIONS);
  const source = program.getSourceFile(file);
  const errors = new Map();
  for (const diagnostic of [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]) {
    let index = starts.findIndex((start) => start > diagnostic.start);
    index = (index === -1 ? starts.length : index) - 1;
    const { line } = source.getLineAndCharacterOfPosition(diagnostic.start);
    const message = ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n');
    errors.set(index, `${text.split('\n')[line].trim()}: ${message}`);
  }
  return { errors, program, source };
}

const check = (file, values) => compile(file, "import type Stripe from 'stripe';\n", values.map(({ value, type }, index) => (
  `export const v${index}: ${typeOf(type ?? value)} = ${JSON.stringify(value, null, 1)};\n`)));

// The requests of the flows as a program: a parameter that the official types don't know is one the twin should refuse.
const checkCalls = (file, calls) => compile(file, "import Stripe from 'stripe';\nconst stripe = new Stripe('');\n", calls.map(({ name, ids, params }) => (
  `void stripe.${name}(${[...ids, params].map((argument) => JSON.stringify(argument, null, 1)).join(', ')});\n`)));

// The names that a type requires, so that only those are left out by mutants.
function requiredNames(program, source) {
  const checker = program.getTypeChecker();
  const found = [];
  source.forEachChild((node) => {
    if (!ts.isVariableStatement(node)) return;
    const type = checker.getTypeAtLocation(node.declarationList.declarations[0]);
    const names = checker.getPropertiesOfType(type).filter((property) => !(property.flags & ts.SymbolFlags.Optional));
    found.push(new Set(names.map((property) => property.name)));
  });
  return found;
}

const wrongOf = (value) => {
  if (typeof value === 'string') return 4711;
  if (typeof value === 'number' || typeof value === 'boolean') return 'wrong';
  if (Array.isArray(value)) return { unexpected: 1 };
  return value === null ? [[true]] : 'wrong';
};

function mutantsOf(value, required) {
  const mutants = [];
  const add = (how, change) => {
    const copy = structuredClone(value);
    change(copy);
    mutants.push({ how: `${value.object} ${value.type ?? ''}: ${how}`, value: copy, type: value });
  };
  for (const name of Object.keys(value)) {
    if (required.has(name)) add(`without ${name}`, (copy) => { delete copy[name]; });
    if (name !== 'object') add(`wrong ${name}`, (copy) => { copy[name] = wrongOf(copy[name]); });
    const nested = value[name];
    if (nested && typeof nested === 'object' && !Array.isArray(nested)) {
      add(`extra ${name}.zz_extra`, (copy) => { copy[name].zz_extra = 1; });
    }
  }
  add('extra zz_extra', (copy) => { copy.zz_extra = 1; });
  return mutants;
}

const state = JSON.parse(readFileSync(process.argv[2]));
// The same shape many times over proves nothing more: one of each set of distinct texts is kept.
const all = new Map();
for (const value of [...Object.values(state.dump.objects).flat(), ...state.answers]) all.set(JSON.stringify(value), value);
const values = [...all.values()].map((value) => ({ value }));
const { errors, program, source } = check('objects.ts', values);
for (const [index, message] of [...errors].slice(0, 20)) console.error(`${typeOf(values[index].value)}: ${message}`);
const kinds = new Set(values.map(({ value }) => value.object));
const missing = Object.keys(TYPES).filter((kind) => !JSON.stringify(values).includes(`"object":"${kind}"`));
if (missing.length) console.error(`never seen: ${missing.join(', ')}`);
const eventTypes = new Set(state.dump.objects.event.map((event) => event.type));
console.log(`tsc: ${values.length} objects of ${kinds.size} kinds, ${eventTypes.size} event types, ${errors.size} errors`);

const wrongCalls = checkCalls('calls.ts', state.calls).errors;
for (const message of [...wrongCalls.values()].slice(0, 20)) console.error(message);
console.log(`tsc: ${state.calls.length} calls, ${wrongCalls.size} errors`);

const required = requiredNames(program, source);
const taken = new Map();
const mutants = values.flatMap(({ value }, index) => {
  const kind = value.object === 'event' ? `event ${value.type}` : typeOf(value);
  taken.set(kind, (taken.get(kind) ?? 0) + 1);
  return taken.get(kind) > (value.object === 'event' ? 1 : MUTATED_PER_KIND_MAX) ? [] : mutantsOf(value, required[index]);
});
const caught = check('mutants.ts', mutants).errors;
const missed = mutants.filter((_, index) => !caught.has(index)).map((mutant) => mutant.how);
const percent = (100 * caught.size) / mutants.length;
console.log(`tsc self-test: ${caught.size} of ${mutants.length} mutants detected (${percent.toFixed(1)} %)`);
console.log(`not detected: ${[...new Set(missed)].join('; ') || 'none'}`);
process.exitCode = errors.size || wrongCalls.size || missing.length || percent < DETECTED_PERCENT_MIN ? 1 : 0;
