// A consumer with ioredis 6; what it does is told in consumer.py.
import { existsSync, openSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const { Redis } = createRequire(new URL('../clients/package.json', import.meta.url))('ioredis');
const { STREAM, GROUP, CONSUMER, JOURNAL, STOP_FILE, IRMAK_PORT } = process.env;
const COUNT = 16;
const IDLE_MS = 1000;
const BLOCK_MS = 200;
const journal = openSync(JOURNAL, 'a');

function note(...words) {
  writeSync(journal, `${[CONSUMER, ...words].join(' ')}\n`);
}

// A lost command must come back as an error, so that the journal knows that its answer is lost.
const client = new Redis({
  port: Number(IRMAK_PORT),
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  retryStrategy: () => 50,
});
client.on('error', (error) => console.log('again after:', error.message));

async function workOn(entries) {
  for (const [id, fields] of entries) {
    if (fields !== null) note('deliver', id, fields[fields.indexOf('number') + 1]);
  }
  for (const [id] of entries) {
    await sleep(1);
    note('acking', id);
    note('acked', id, await client.xack(STREAM, GROUP, id));
  }
}

const entriesOf = (reply) => (reply === null ? [] : reply[0][1]);

async function consume() {
  for (;;) {
    note('ask');
    const history = entriesOf(await client.xreadgroup(
      'GROUP', GROUP, CONSUMER, 'COUNT', COUNT, 'STREAMS', STREAM, '0'));
    if (history.length === 0) break;
    await workOn(history);
  }
  while (!existsSync(STOP_FILE)) {
    note('ask');
    await workOn(entriesOf(await client.xreadgroup(
      'GROUP', GROUP, CONSUMER, 'COUNT', COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, '>')));
    note('ask');
    const [, claimed] = await client.xautoclaim(
      STREAM, GROUP, CONSUMER, IDLE_MS, '0-0', 'COUNT', COUNT);
    await workOn(claimed);
  }
}

while (!existsSync(STOP_FILE)) {
  try {
    await consume();
  } catch (error) {
    console.log('again after:', error.message);
    await sleep(50);
  }
}
client.disconnect();
