// Keeps notes in a file on its volume and counts them in Redis. A writer needs the API key.
'use strict';
const { appendFileSync, readFileSync } = require('node:fs');
const { createServer } = require('node:http');
const { connect } = require('node:net');
const { timingSafeEqual, createHash } = require('node:crypto');

const secret = (name) => readFileSync(process.env[`${name}_FILE`], 'utf8').replace(/\n$/, '');
const key = secret('API_KEY');
const redis = new URL(secret('REDIS_URL'));
const notes = `${process.env.NOTES_DIRECTORY}/notes.txt`;
let draining = false;

const digest = (text) => createHash('sha256').update(text).digest();
const allowed = (request) => timingSafeEqual(digest(request.headers['x-api-key'] ?? ''), digest(key));

// One command in Redis' inline form, after logging in with the URL's user and password.
function ask(command) {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: redis.hostname, port: Number(redis.port), timeout: 1000 });
    let answer = '';
    socket.on('connect', () => socket.end(`AUTH ${redis.username} ${redis.password}\r\n${command}\r\nQUIT\r\n`));
    socket.on('data', (part) => { answer += part; });
    socket.on('end', () => resolve(answer.split('\r\n')[1]));
    socket.on('timeout', () => socket.destroy(new Error('Redis does not answer')));
    socket.on('error', reject);
  });
}

async function handle(request, response) {
  const send = (status, body) => response.writeHead(status, { 'Content-Type': 'text/plain' }).end(`${body}\n`);
  if (request.url === '/live') return send(200, 'live');
  if (request.url === '/ready') {
    return !draining && await ask('PING') === '+PONG' ? send(200, 'ready') : send(503, 'not ready');
  }
  if (request.url === '/notes' && request.method === 'POST') {
    if (!allowed(request)) return send(401, 'the API key is needed');
    let text = '';
    for await (const part of request) text += part;
    appendFileSync(notes, `${text}\n`);
    return send(201, await ask('INCR notes'));
  }
  if (request.url === '/notes') return send(200, readFileSync(notes, { encoding: 'utf8', flag: 'a+' }).trimEnd());
  return send(404, 'there is nothing here');
}

const server = createServer((request, response) => {
  handle(request, response).catch((error) => response.writeHead(503).end(`${error.message}\n`));
});
server.listen(Number(process.env.PORT), () => console.log(`listening on ${process.env.PORT}`));
process.on('SIGTERM', () => {
  draining = true;
  setTimeout(() => server.close(() => process.exit(0)), 2000);
  setTimeout(() => server.closeIdleConnections(), 2100);
});
