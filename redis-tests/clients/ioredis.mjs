// ioredis 6 against the server on $IRMAK_PORT: RESP3 (its default) and RESP2.
import { randomBytes } from 'node:crypto';
import { Redis, ReplyError } from 'ioredis';
import { IS_IRMAK, PORT, UNIX, check, equal, eventually, rejects, run, test } from './cases.mjs';

const opened = [];

function connect(options = {}) {
  const client = new Redis({ port: PORT, host: '127.0.0.1', ...options });
  client.on('error', () => {});
  opened.push(client);
  return client;
}

const three = connect();
const two = connect({ protocol: 2 });
const maps = connect({ replyMapping: 'resp3' });

const blocked = async () => (await three.client('LIST')).split('\n')
  .filter((line) => /flags=b/.test(line)).length;

test('connects_with_RESP3_and_RESP2', async () => {
  equal([await three.ping(), await two.ping(), await maps.ping()], ['PONG', 'PONG', 'PONG']);
  check(/ resp=3/.test(await three.client('INFO')) || !IS_IRMAK);
  const hello = await maps.call('HELLO');
  equal(Object.keys(hello).sort(),
    ['id', 'mode', 'modules', 'proto', 'role', 'server', 'version']);
  equal([hello.server, hello.proto, hello.mode, hello.role], ['redis', 3, 'standalone', 'master']);
  equal((await two.call('HELLO')).length, 14);
  if (IS_IRMAK) check((await three.client('INFO')).includes('lib-name=ioredis'));
});

test('connects_with_name_and_database_and_unix_socket', async () => {
  const named = connect({ connectionName: 'worker', db: 7 });
  equal(await named.client('GETNAME'), 'worker');
  check((await named.client('INFO')).includes(' db=7 '));
  await named.set('a', 'seven');
  equal(await three.exists('a'), 0);
  const local = connect({ path: UNIX, port: undefined, host: undefined });
  equal(await local.echo('unix'), 'unix');
});

test('transactions', async () => {
  const other = connect();
  for (const r of [three, two]) {
    await r.flushall();
    equal(await r.multi().set('a', '1').incr('a').xadd('s', '1-1', 'f', 'v').exec(),
      [[null, 'OK'], [null, 2], [null, '1-1']]);
    const [, [error], [, last]] = await r.multi().set('a', 'text').incr('a').get('a').exec();
    check(error instanceof ReplyError && /not an integer/.test(error.message));
    equal(last, 'text');
    await r.watch('a');
    await other.set('a', 'other');
    equal(await r.multi().set('a', 'mine').exec(), null);
    await rejects(ReplyError, 'EXECABORT', r.multi().call('NOSUCH').set('a', 'never').exec());
    equal(await r.get('a'), 'other');
  }
});

test('set_with_all_options', async () => {
  for (const r of [three, two]) {
    await r.flushall();
    equal(await r.set('k', '1', 'NX'), 'OK');
    equal(await r.set('k', '2', 'NX'), null);
    equal(await r.set('m', '2', 'XX'), null);
    equal(await r.set('k', '3', 'GET'), '1');
    equal(await r.set('k', '4', 'EX', 100), 'OK');
    check((await r.ttl('k')) >= 99);
    equal(await r.set('k', '5', 'KEEPTTL'), 'OK');
    check((await r.ttl('k')) >= 99);
    equal(await r.set('k', '6', 'PX', 100_000, 'XX'), 'OK');
    check((await r.pttl('k')) > 99_000);
    equal(await r.set('k', '7', 'EXAT', Math.floor(Date.now() / 1000) + 100), 'OK');
    equal(await r.set('k', '8', 'PXAT', Date.now() + 100_000), 'OK');
    check((await r.pttl('k')) > 98_000);
    await rejects(ReplyError, 'ERR syntax error', r.call('SET', 'k', 'v', 'NX', 'XX'));
  }
});

test('strings_and_numbers', async () => {
  equal(await three.mset({ a: '1', b: '2' }), 'OK');
  equal(await three.mget('a', 'none', 'b'), ['1', null, '2']);
  equal(await two.mget('a', 'none', 'b'), ['1', null, '2']);
  equal(await three.incr('a'), 2);
  equal(await three.incrby('a', 40), 42);
  equal(await three.incrbyfloat('a', 0.5), '42.5');
  equal(await three.append('b', 'x'), 2);
  equal(await three.getrange('b', 0, -1), '2x');
  equal(await three.getdel('b'), '2x');
  equal(await three.getex('a', 'EX', 100), '42.5');
  equal(await three.setnx('a', 'v'), 0);
  equal(await three.msetnx('a', '1', 'z', '2'), 0);
  equal(await three.strlen('a'), 4);
  equal(await three.decrby('d', 5), -5);
});

test('expiry_and_keys', async () => {
  await three.set('k', 'v');
  equal(await three.expire('k', 100), 1);
  equal(await three.persist('k'), 1);
  equal(await three.pexpireat('k', Date.now() + 100_000), 1);
  equal(await three.type('k'), 'string');
  equal(await three.rename('k', 'l'), 'OK');
  equal(await three.unlink('l', 'none'), 1);
  await three.set('brief', 'v', 'PX', 30);
  await eventually('the key expires', async () => (await three.get('brief')) === null);
  equal(await three.dbsize(), 0);
});

test('scan_stream_sees_every_key', async () => {
  const pipeline = three.pipeline();
  for (let i = 0; i < 3000; i++) pipeline.set(`key:${i}`, i);
  await pipeline.exec();
  for (const r of [three, two]) {
    const seen = new Set();
    for await (const keys of r.scanStream({ match: 'key:*', count: 100 })) {
      keys.forEach((key) => seen.add(key));
    }
    equal(seen.size, 3000);
  }
});

test('pipelines', async () => {
  for (const r of [three, two]) {
    await r.flushall();
    const pipeline = r.pipeline();
    for (let i = 0; i < 10_000; i++) pipeline.incr('n');
    pipeline.set('word', 'w').incr('word').get('word');
    const replies = await pipeline.exec();
    equal(replies[9_999], [null, 10_000]);
    equal(replies[10_000], [null, 'OK']);
    check(replies[10_001][0] instanceof ReplyError);
    equal(replies[10_002], [null, 'w']);
  }
});

test('errors_have_the_type_of_the_library', async () => {
  await three.set('s', 'v');
  for (const r of [three, two, maps]) {
    await rejects(ReplyError, 'WRONGTYPE Operation against a key holding the wrong kind of value',
      r.xadd('s', '*', 'a', 'b'));
    await rejects(ReplyError, "ERR unknown command 'NOSUCH', with args beginning with: 'a' ",
      r.call('NOSUCH', 'a'));
    await rejects(ReplyError, "ERR wrong number of arguments for 'get' command", r.call('GET'));
    await rejects(ReplyError, 'ERR value is not an integer or out of range', r.incr('s'));
  }
});

test('stream_entries_and_trimming', async () => {
  check(/^\d+-0$/.test(await three.xadd('x', '*', 'a', '1')));
  await three.del('x');
  for (let i = 1; i <= 20; i++) equal(await three.xadd('x', `${i}-0`, 'i', i), `${i}-0`);
  equal(await three.xlen('x'), 20);
  equal(await three.xrange('x', '-', '+', 'COUNT', 1), [['1-0', ['i', '1']]]);
  equal(await three.xrevrange('x', '+', '(19'), [['20-0', ['i', '20']]]);
  equal(await three.xadd('none', 'NOMKSTREAM', '*', 'a', 'b'), null);
  equal(await three.xdel('x', '20-0', '99-0'), 1);
  equal(await three.xtrim('x', 'MAXLEN', '=', 10), 9);
  equal(await three.xtrim('x', 'MINID', '15-0'), 5);
  await rejects(ReplyError, 'ERR The ID specified in XADD is equal or smaller than the target ' +
    'stream top item', three.xadd('x', '1-1', 'a', 'b'));
});

test('stream_read_in_both_protocols', async () => {
  await three.xadd('x', '1-0', 'a', '1');
  await three.xadd('y', '2-0', 'b', '2');
  const pairs = [['x', [['1-0', ['a', '1']]]], ['y', [['2-0', ['b', '2']]]]];
  equal(await two.xread('STREAMS', 'x', 'y', '0', '0'), pairs);
  equal(await three.xread('STREAMS', 'x', 'y', '0', '0'), pairs);
  equal(await maps.xread('STREAMS', 'x', 'y', '0', '0'), Object.fromEntries(pairs));
  for (const r of [two, three, maps]) {
    equal(await r.xread('STREAMS', 'x', '9'), null);
    equal(await r.xread('BLOCK', 20, 'STREAMS', 'x', '$'), null);
  }
  if (IS_IRMAK) {
    equal(await maps.xread('STREAMS', 'x', '+'), { x: [['1-0', ['a', '1']]] });
  }
});

test('stream_blocking_read_wakes_every_reader', async () => {
  const readers = [connect(), connect({ protocol: 2 }), connect({ replyMapping: 'resp3' })];
  const reads = readers.map((r) => r.xread('BLOCK', 20_000, 'STREAMS', 'x', '$'));
  await eventually('three clients wait', async () => (await blocked()) === 3);
  await three.xadd('x', '7-7', 'a', 'b');
  const entries = [['7-7', ['a', 'b']]];
  equal(await Promise.all(reads), [[['x', entries]], [['x', entries]], { x: entries }]);
});

test('stream_group_life', async () => {
  for (const r of [two, maps]) {
    await r.flushall();
    equal(await r.xgroup('CREATE', 'x', 'g', '0', 'MKSTREAM'), 'OK');
    await rejects(ReplyError, 'BUSYGROUP Consumer Group name already exists',
      r.xgroup('CREATE', 'x', 'g', '0'));
    await rejects(ReplyError, "NOGROUP No such key 'x' or consumer group 'none' in XREADGROUP " +
      'with GROUP option', r.xreadgroup('GROUP', 'none', 'c', 'STREAMS', 'x', '>'));
    for (let i = 1; i <= 6; i++) await r.xadd('x', `${i}-0`, 'i', i);
    const got = await r.xreadgroup('GROUP', 'g', 'a', 'COUNT', 4, 'STREAMS', 'x', '>');
    const entries = r === two ? got[0][1] : got.x;
    equal(entries.map(([id]) => id), ['1-0', '2-0', '3-0', '4-0']);
    equal(await r.xack('x', 'g', '1-0', '2-0', '6-0'), 2);
    equal(await r.xpending('x', 'g'), [2, '3-0', '4-0', [['a', '2']]]);
    const rows = await r.xpending('x', 'g', '-', '+', 10, 'a');
    equal(rows.map(([id, owner, , count]) => [id, owner, count]),
      [['3-0', 'a', 1], ['4-0', 'a', 1]]);
    equal(await r.xclaim('x', 'g', 'b', 0, '3-0'), [['3-0', ['i', '3']]]);
    equal(await r.xclaim('x', 'g', 'b', 0, '4-0', 'JUSTID'), ['4-0']);
    const [cursor, claimed, deleted] = await r.xautoclaim('x', 'g', 'c', 0, '0', 'COUNT', 10);
    equal([cursor, claimed.map(([id]) => id), deleted], ['0-0', ['3-0', '4-0'], []]);
    equal(await r.xgroup('CREATECONSUMER', 'x', 'g', 'd'), 1);
    equal(await r.xgroup('DELCONSUMER', 'x', 'g', 'c'), 2);
    equal(await r.xgroup('SETID', 'x', 'g', '0'), 'OK');
    equal(await r.xgroup('DESTROY', 'x', 'g'), 1);
  }
});

test('stream_information', async () => {
  await three.xadd('x', '1-0', 'a', '1');
  await three.xgroup('CREATE', 'x', 'g', '0');
  await three.xreadgroup('GROUP', 'g', 'a', 'STREAMS', 'x', '>');
  const stream = await maps.xinfo('STREAM', 'x');
  equal([stream.length, stream['last-generated-id'], stream['entries-added'], stream.groups],
    [1, '1-0', 1, 1]);
  equal(stream['first-entry'], ['1-0', ['a', '1']]);
  const flat = await two.xinfo('STREAM', 'x');
  equal(flat.filter((_, index) => index % 2 === 0), Object.keys(stream));
  const [group] = await maps.xinfo('GROUPS', 'x');
  equal([group.name, group.consumers, group.pending, group['entries-read'], group.lag],
    ['g', 1, 1, 1, 0]);
  const [consumer] = await maps.xinfo('CONSUMERS', 'x', 'g');
  equal([consumer.name, consumer.pending], ['a', 1]);
  const full = await maps.xinfo('STREAM', 'x', 'FULL');
  equal([full.entries.length, full.groups[0].name, full.groups[0].consumers[0].name],
    [1, 'g', 'a']);
});

test('large_and_binary_values', async () => {
  const value = randomBytes(10 * 1024 * 1024);
  for (const r of [three, two]) {
    equal(await r.set('large', value), 'OK');
    check(value.equals(await r.getBuffer('large')), '10 MB came back changed');
    await r.del('x');
    await r.xadd('x', '1-1', 'blob', value);
    const [[, fields]] = await r.xrangeBuffer('x', '-', '+');
    check(value.equals(fields[1]), '10 MB entry came back changed');
  }
  const every = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  await three.set(every, every);
  check(every.equals(await three.getBuffer(every)));
});

test('many_connections', async () => {
  const many = Array.from({ length: 200 }, () => connect());
  await Promise.all(many.map((client, number) => client.set(`c:${number}`, number)));
  equal(await three.dbsize(), 200);
  equal(await Promise.all(many.map((client, number) => client.get(`c:${number}`))),
    many.map((_, number) => String(number)));
  many.forEach((client) => client.disconnect());
});

test('clients_and_reconnection', async () => {
  const victim = connect({ connectionName: 'victim' });
  const id = await victim.client('ID');
  check((await three.client('LIST', 'ID', id)).includes('name=victim'));
  equal(await three.client('KILL', 'ID', id), 1);
  await eventually('it is connected again with its name', async () => {
    try {
      return (await victim.client('ID')) !== id && (await victim.client('GETNAME')) === 'victim';
    } catch {
      return false;
    }
  });
});

test('configuration_and_information', async () => {
  equal(await maps.config('GET', 'appendfsync'), { appendfsync: 'always' });
  equal(await two.config('GET', 'appendfsync'), ['appendfsync', 'always']);
  equal(await three.config('SET', 'timeout', 4321), 'OK');
  equal(await three.config('GET', 'timeout'), ['timeout', '4321']);
  equal(await three.config('SET', 'timeout', 0), 'OK');
  await rejects(ReplyError, 'ERR Unknown option or number of arguments for CONFIG SET - \'nosuch\'',
    three.config('SET', 'nosuch', 1));
  const text = await three.info();
  for (const field of ['redis_version', 'loading', 'tcp_port', 'connected_clients',
    'maxmemory_policy', 'used_memory']) {
    check(text.includes(`\r\n${field}:`), `INFO lacks ${field}`);
  }
  check(/^\d{10}$/.test((await three.time())[0]));
});

await run('ioredis', () => three.flushall());
