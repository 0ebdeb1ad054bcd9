// The cases of one client: each is an async function; the line `ok NAME` or `not ok NAME reason`.
import assert from 'node:assert/strict';

export const PORT = Number(process.env.IRMAK_PORT);
export const UNIX = process.env.IRMAK_UNIX;
export const IS_IRMAK = (process.env.IRMAK_FLAVOUR ?? 'irmak') === 'irmak';
export const equal = assert.deepStrictEqual;
export const check = assert.ok;

const CASE_MILLISECONDS = 60_000;
const cases = [];

export function test(name, body) {
  cases.push({ name, body });
}

/** The promise must fail with this class; its message starts with the text. */
export async function rejects(kind, text, promise) {
  let value;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof kind && error.message.startsWith(text)) return;
    throw new Error(`${error.constructor.name}: ${error.message}; expected ${kind.name}: ${text}`);
  }
  throw new Error(`no error but ${JSON.stringify(value)}; expected ${kind.name}: ${text}`);
}

/** Waits until the condition holds. */
export async function eventually(what, condition) {
  const deadline = Date.now() + 10_000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`never became true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function within(milliseconds, promise) {
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no end after ${milliseconds} ms`)), milliseconds);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

/** Runs every case after `before()` and exits; the arguments choose cases by name. */
export async function run(prefix, before) {
  const wanted = process.argv.slice(2);
  let failures = 0;
  for (const { name, body } of cases) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    try {
      await within(CASE_MILLISECONDS, (async () => { await before(); await body(); })());
      console.log(`ok ${prefix} ${name}`);
    } catch (error) {
      failures += 1;
      const reason = String(error.message).replace(/\s+/g, ' ').slice(0, 600);
      console.log(`not ok ${prefix} ${name} ${reason}`);
      console.error(error.stack);
    }
  }
  process.exit(failures > 0 ? 1 : 0);
}
