// node-redis 6 against the server on $IRMAK_PORT: RESP3 (its default) and RESP2.
import { randomBytes } from 'node:crypto';
import {
  createClient, ErrorReply, MultiErrorReply, RESP_TYPES, SocketClosedUnexpectedlyError, WatchError,
} from 'redis';
import { IS_IRMAK, PORT, UNIX, check, equal, eventually, rejects, run, test } from './cases.mjs';

async function connect(options = {}) {
  const client = createClient({ socket: { host: '127.0.0.1', port: PORT }, ...options });
  client.on('error', () => {});
  return client.connect();
}

/** Replies come with null prototypes; two values are equal when they read equally. */
const plain = (value) => JSON.parse(JSON.stringify(value));

const three = await connect();
const two = await connect({ RESP: 2 });
const both = [three, two];

test('connects_with_RESP3_and_RESP2', async () => {
  equal([await three.ping(), await two.ping()], ['PONG', 'PONG']);
  for (const [client, proto] of [[three, 3], [two, 2]]) {
    const hello = await client.hello();
    equal([hello.server, hello.proto, hello.mode, hello.role],
      ['redis', proto, 'standalone', 'master']);
    check(hello.id > 0 && /^\d+\.\d+\.\d+$/.test(hello.version));
  }
  const line = await three.sendCommand(['CLIENT', 'INFO']);
  check(!IS_IRMAK || line.includes('lib-name=node-redis'), line);
});

test('connects_with_name_database_and_unix_socket', async () => {
  const named = await connect({ name: 'worker', database: 3 });
  equal(await named.clientGetName(), 'worker');
  equal((await named.clientInfo()).db, 3);
  await named.set('a', 'three');
  equal(await three.exists('a'), 0);
  await named.close();
  const local = await connect({ socket: { path: UNIX } });
  equal(await local.echo('unix'), 'unix');
  await local.close();
});

test('transactions', async () => {
  for (const r of both) {
    await r.flushAll();
    equal(await r.multi().set('a', '1').incr('a').xAdd('s', '1-1', { f: 'v' }).exec(),
      ['OK', 2, '1-1']);
    await rejects(MultiErrorReply, '1 commands failed',
      r.multi().set('a', 'text').incr('a').set('b', 'on').exec());
    equal(await r.mGet(['a', 'b']), ['text', 'on']);
    await r.watch('a');
    await (r === three ? two : three).set('a', 'other');
    await rejects(WatchError, '', r.multi().set('a', 'mine').exec());
    equal(await r.get('a'), 'other');
  }
});

test('set_with_all_options', async () => {
  for (const r of both) {
    await r.flushAll();
    equal(await r.set('k', '1', { condition: 'NX' }), 'OK');
    equal(await r.set('k', '2', { condition: 'NX' }), null);
    equal(await r.set('m', '2', { condition: 'XX' }), null);
    equal(await r.set('k', '3', { GET: true }), '1');
    equal(await r.set('k', '4', { expiration: { type: 'EX', value: 100 } }), 'OK');
    equal(await r.set('k', '5', { expiration: 'KEEPTTL' }), 'OK');
    check((await r.ttl('k')) >= 99);
    equal(await r.set('k', '6', { expiration: { type: 'PX', value: 100_000 } }), 'OK');
    check((await r.pTTL('k')) > 99_000);
    const second = Math.floor(Date.now() / 1000) + 100;
    equal(await r.set('k', '7', { expiration: { type: 'EXAT', value: second } }), 'OK');
    equal(await r.set('k', '8', { expiration: { type: 'PXAT', value: second * 1000 } }), 'OK');
    check((await r.pTTL('k')) > 97_000);
    await rejects(ErrorReply, "ERR invalid expire time in 'set' command",
      r.set('k', 'v', { expiration: { type: 'EX', value: 0 } }));
  }
});

test('strings_and_numbers', async () => {
  for (const r of both) {
    await r.flushAll();
    equal(await r.mSet({ a: '1', b: '2' }), 'OK');
    equal(await r.mGet(['a', 'none', 'b']), ['1', null, '2']);
    equal(await r.incrBy('a', 41), 42);
    equal(await r.incrByFloat('a', 0.5), '42.5');
    equal(await r.append('b', 'x'), 2);
    equal(await r.setRange('b', 1, 'yz'), 3);
    equal(await r.getRange('b', 0, -1), '2yz');
    equal(await r.getDel('b'), '2yz');
    equal(await r.getEx('a', { type: 'EX', value: 100 }), '42.5');
    equal(await r.strLen('a'), 4);
    equal(await r.setNX('a', 'v'), 0);
    equal(await r.mSetNX({ a: '1', z: '2' }), 0);
    equal(await r.decrBy('d', 5), -5);
  }
});

test('expiry_and_keys', async () => {
  for (const r of both) {
    await r.flushAll();
    await r.set('k', 'v');
    equal(await r.expire('k', 100, 'NX'), 1);
    equal(await r.expire('k', 10, 'GT'), 0);
    equal(await r.persist('k'), 1);
    equal(await r.pExpireAt('k', Date.now() + 100_000), 1);
    equal(await r.type('k'), 'string');
    equal(await r.rename('k', 'l'), 'OK');
    equal(await r.randomKey(), 'l');
    equal(await r.unlink(['l', 'none']), 1);
    await r.set('brief', 'v', { expiration: { type: 'PX', value: 30 } });
    await eventually('the key expires', async () => (await r.get('brief')) === null);
    equal(await r.dbSize(), 0);
  }
});

test('scan_iterator_sees_every_key', async () => {
  await Promise.all(Array.from({ length: 3000 }, (_, i) => three.set(`key:${i}`, String(i))));
  for (const r of both) {
    const seen = new Set();
    for await (const keys of r.scanIterator({ MATCH: 'key:*', COUNT: 100 })) {
      keys.forEach((key) => seen.add(key));
    }
    equal(seen.size, 3000);
  }
});

test('pipelines_by_itself', async () => {
  for (const r of both) {
    await r.flushAll();
    const replies = await Promise.all(Array.from({ length: 10_000 }, () => r.incr('n')));
    equal(replies, Array.from({ length: 10_000 }, (_, i) => i + 1));
    const mixed = await r.multi().set('w', 'word').get('w').execAsPipeline();
    equal(plain(mixed), ['OK', 'word']);
  }
});

test('errors_have_the_type_of_the_library', async () => {
  await three.set('s', 'v');
  for (const r of both) {
    await rejects(ErrorReply, 'WRONGTYPE Operation against a key holding the wrong kind of value',
      r.xAdd('s', '*', { a: 'b' }));
    await rejects(ErrorReply, "ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
      r.sendCommand(['NOSUCH', 'a']));
    await rejects(ErrorReply, 'ERR value is not an integer or out of range', r.incr('s'));
    await rejects(ErrorReply, "ERR wrong number of arguments for 'get' command",
      r.sendCommand(['GET']));
  }
});

test('stream_entries_and_trimming', async () => {
  for (const r of both) {
    await r.flushAll();
    for (let i = 1; i <= 20; i++) equal(await r.xAdd('x', `${i}-0`, { i: String(i) }), `${i}-0`);
    equal(await r.xLen('x'), 20);
    equal(plain(await r.xRange('x', '-', '+', { COUNT: 1 })), [{ id: '1-0', message: { i: '1' } }]);
    equal(plain(await r.xRevRange('x', '+', '(19')), [{ id: '20-0', message: { i: '20' } }]);
    equal(await r.xAddNoMkStream('none', '*', { a: 'b' }), null);
    equal(await r.xDel('x', ['20-0', '99-0']), 1);
    equal(await r.xTrim('x', 'MAXLEN', 10, { strategyModifier: '=' }), 9);
    equal(await r.xAdd('x', '30-0', { i: '30' },
      { TRIM: { strategy: 'MAXLEN', strategyModifier: '=', threshold: 5 } }), '30-0');
    equal(await r.xLen('x'), 5);
  }
});

test('stream_read_in_both_protocols', async () => {
  await three.xAdd('x', '1-0', { a: '1' });
  await three.xAdd('y', '2-0', { b: '2' });
  for (const r of both) {
    const got = await r.xRead([{ key: 'x', id: '0' }, { key: 'y', id: '0' }]);
    equal(plain(got), [{ name: 'x', messages: [{ id: '1-0', message: { a: '1' } }] },
      { name: 'y', messages: [{ id: '2-0', message: { b: '2' } }] }]);
    equal(await r.xRead({ key: 'x', id: '9' }), null);
    equal(await r.xRead({ key: 'x', id: '$' }, { BLOCK: 20 }), null);
  }
});

test('stream_blocking_read_wakes', async () => {
  const waiting = [await connect(), await connect({ RESP: 2 })];
  const reads = waiting.map((r) => r.xRead({ key: 'x', id: '$' }, { BLOCK: 20_000 }));
  await eventually('two clients wait', async () => (await three.sendCommand(['CLIENT', 'LIST']))
    .split('\n').filter((line) => /flags=b/.test(line)).length === 2);
  await three.xAdd('x', '7-7', { a: 'b' });
  const expected = [{ name: 'x', messages: [{ id: '7-7', message: { a: 'b' } }] }];
  equal(plain(await Promise.all(reads)), [expected, expected]);
  await Promise.all(waiting.map((client) => client.close()));
});

test('stream_group_life', async () => {
  for (const r of both) {
    await r.flushAll();
    equal(await r.xGroupCreate('x', 'g', '0', { MKSTREAM: true }), 'OK');
    await rejects(ErrorReply, 'BUSYGROUP Consumer Group name already exists',
      r.xGroupCreate('x', 'g', '0'));
    await rejects(ErrorReply, "NOGROUP No such key 'x' or consumer group 'none' in XREADGROUP " +
      'with GROUP option', r.xReadGroup('none', 'c', { key: 'x', id: '>' }));
    for (let i = 1; i <= 6; i++) await r.xAdd('x', `${i}-0`, { i: String(i) });
    const [{ messages }] = await r.xReadGroup('g', 'a', { key: 'x', id: '>' }, { COUNT: 4 });
    equal(messages.map(({ id }) => id), ['1-0', '2-0', '3-0', '4-0']);
    equal(await r.xAck('x', 'g', ['1-0', '2-0', '6-0']), 2);
    equal(plain(await r.xPending('x', 'g')), { pending: 2, firstId: '3-0', lastId: '4-0',
      consumers: [{ name: 'a', deliveriesCounter: 2 }] });
    const rows = await r.xPendingRange('x', 'g', '-', '+', 10);
    equal(rows.map((row) => [row.id, row.consumer, row.deliveriesCounter]),
      [['3-0', 'a', 1], ['4-0', 'a', 1]]);
    equal(plain(await r.xClaim('x', 'g', 'b', 0, '3-0')), [{ id: '3-0', message: { i: '3' } }]);
    equal(plain(await r.xClaimJustId('x', 'g', 'b', 0, '4-0')), ['4-0']);
    const claim = await r.xAutoClaim('x', 'g', 'c', 0, '0', { COUNT: 10 });
    equal([claim.nextId, claim.messages.map(({ id }) => id), plain(claim.deletedMessages)],
      ['0-0', ['3-0', '4-0'], []]);
    equal(await r.xGroupCreateConsumer('x', 'g', 'd'), 1);
    equal(await r.xGroupDelConsumer('x', 'g', 'c'), 2);
    equal(await r.xGroupSetId('x', 'g', '0'), 'OK');
    equal(await r.xGroupDestroy('x', 'g'), 1);
  }
});

test('stream_information', async () => {
  await three.xAdd('x', '1-0', { a: '1' });
  await three.xGroupCreate('x', 'g', '0');
  await three.xReadGroup('g', 'a', { key: 'x', id: '>' });
  for (const r of both) {
    const stream = plain(await r.xInfoStream('x'));
    equal([stream.length, stream['last-generated-id'], stream['entries-added'], stream.groups],
      [1, '1-0', 1, 1]);
    equal(stream['first-entry'], { id: '1-0', message: { a: '1' } });
    const [group] = plain(await r.xInfoGroups('x'));
    equal([group.name, group.consumers, group.pending, group['entries-read'], group.lag],
      ['g', 1, 1, 1, 0]);
    const [consumer] = plain(await r.xInfoConsumers('x', 'g'));
    equal([consumer.name, consumer.pending], ['a', 1]);
  }
});

test('large_and_binary_values', async () => {
  const value = randomBytes(10 * 1024 * 1024);
  for (const r of both) {
    const buffers = r.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
    equal(await r.set('large', value), 'OK');
    check(value.equals(await buffers.get('large')), '10 MB came back changed');
    await r.del('x');
    await r.xAdd('x', '1-1', { blob: value });
    const [entry] = await buffers.xRange('x', '-', '+');
    check(value.equals(entry.message.blob), '10 MB entry came back changed');
    const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    await r.set(every, every);
    check(every.equals(await buffers.get(every)));
  }
});

test('many_connections', async () => {
  const many = await Promise.all(Array.from({ length: 200 }, () => connect()));
  await Promise.all(many.map((client, number) => client.set(`c:${number}`, String(number))));
  equal(await three.dbSize(), 200);
  equal(await Promise.all(many.map((client, number) => client.get(`c:${number}`))),
    many.map((_, number) => String(number)));
  many.forEach((client) => client.destroy());
});

test('clients_and_reconnection', async () => {
  const victim = await connect({ name: 'victim' });
  const id = await victim.clientId();
  check((await three.clientList()).some((row) => row.id === id && row.name === 'victim'));
  equal(await three.clientKill({ filter: 'ID', id }), 1);
  await eventually('it is connected again with its name', async () => {
    try {
      return (await victim.clientId()) !== id && (await victim.clientGetName()) === 'victim';
    } catch (error) {
      check(error instanceof SocketClosedUnexpectedlyError, error.message);
      return false;
    }
  });
  await victim.close();
});

test('configuration_and_information', async () => {
  for (const r of both) {
    equal(plain(await r.configGet('appendfsync')), { appendfsync: 'always' });
    equal(await r.configSet('timeout', '4321'), 'OK');
    equal(plain(await r.configGet('timeout')), { timeout: '4321' });
    equal(await r.configSet('timeout', '0'), 'OK');
    await rejects(ErrorReply, "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'",
      r.configSet('nosuch', '1'));
    const text = await r.info();
    for (const field of ['redis_version', 'loading', 'tcp_port', 'connected_clients',
      'maxmemory_policy', 'used_memory']) check(text.includes(`\r\n${field}:`), `no ${field}`);
    equal(plain(await r.commandGetKeys(['SET', 'k', 'v'])), ['k']);
    check(Math.abs(Number((await r.time())[0]) * 1000 - Date.now()) < 5000);
  }
});

await run('node-redis', () => three.flushAll());
