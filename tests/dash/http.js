/*
 * http.js PORT PID - what build/dash does with bad, huge, slow and many clients: it refuses, forgets, and serves the others.
 *
 * Prints "ok NAME" or "FAIL NAME". The dash should look ten times a second (--interval 0.1), so that streams have much to carry.
 */
'use strict';
const fs = require('fs');
const net = require('net');

const PORT = Number(process.argv[2]);
const PID = process.argv[3];
const HOST = `127.0.0.1:${PORT}`;
const GOOD = `GET /healthz HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`;
const GOOD_CLIENT_MS = 2000; // a good client is answered within, whatever else is connected
const MEMORY_KB = 24 * 1024; // resident at most: 320 connections of 16 KiB, ten minutes of looks, and the program
const ASK_SECONDS = 10; // run/dash/http.h
const ANSWER_SECONDS = 15;
const MAX_STREAMS = 64; // run/dash/events.h

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const memory_kb = (what) =>
	Number(new RegExp(`${what}:\\s+(\\d+)`).exec(fs.readFileSync(`/proc/${PID}/status`, 'utf8'))[1]);

function connect() {
	const s = net.connect(PORT, '127.0.0.1');
	s.on('error', () => {}); // to be disconnected is what many of these ask for
	return s;
}

// What is answered to these bytes: everything until the end, or for so long.
function ask(bytes, ms = 1500) {
	return new Promise((resolve) => {
		const s = connect();
		let text = '';
		const end = () => (clearTimeout(timer), s.destroy(), resolve(text));
		const timer = setTimeout(end, ms);
		s.on('data', (d) => {
			text += d.toString('latin1');
			const body = text.indexOf('\r\n\r\n');
			const length = /content-length: (\d+)/i.exec(text);
			if (body >= 0 && length && !/^HEAD/.test(bytes) && text.length >= body + 4 + Number(length[1])) end();
			else if (body >= 0 && /^HEAD/.test(bytes)) end();
		});
		s.on('close', end);
		s.write(bytes, 'latin1');
	});
}

const status = (text) => Number(/^HTTP\/1\.\d (\d+)/.exec(text)?.[1] ?? 0);
const get = (path, headers = `Host: ${HOST}`) => ask(`GET ${path} HTTP/1.1\r\n${headers}\r\n\r\n`);

function demand(condition, what) {
	if (!condition) throw new Error(what);
}

async function good_client() {
	const began = Date.now();
	const text = await ask(GOOD, GOOD_CLIENT_MS);
	demand(status(text) === 200, `a good client got ${JSON.stringify(text.slice(0, 80))} after ${Date.now() - began} ms`);
	return Date.now() - began;
}

async function answers_are_right() {
	const page = await get('/');
	demand(status(page) === 200 && page.includes('<title>ontime'), 'no page');
	demand(/content-security-policy: default-src 'none'; script-src 'self';/i.test(page), 'no strict policy');
	demand(!/https?:\/\//.test(page.slice(page.indexOf('\r\n\r\n'))), 'the page names another host');
	const head = await ask(`HEAD / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
	demand(status(head) === 200 && head.indexOf('\r\n\r\n') === head.length - 4, 'HEAD has a body, or is refused');
	for (const path of ['/nope', '/../etc/passwd', '/%2e%2e/etc/passwd', '//', '/page.html', '/metrics/', '/events/x'])
		demand(status(await get(path)) === 404, `${path} is not 404`);
}

async function methods_and_bodies_are_refused() {
	for (const method of ['POST', 'PUT', 'DELETE', 'TRACE', 'PATCH', 'CONNECT', 'BREW']) {
		const text = await ask(`${method} / HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
		demand(status(text) === 405 && /allow: GET, HEAD, OPTIONS/i.test(text), `${method} is answered ${status(text)}`);
	}
	demand(
		status(await ask(`POST / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 1000000000000\r\n\r\nxxxx`)) === 405,
		'a huge POST',
	);
	demand(
		status(await ask(`GET / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\n\r\nhello`)) === 400,
		'a GET with a body',
	);
}

async function foreign_hosts_are_refused() {
	for (const host of [HOST, 'localhost', 'LOCALHOST:1', '127.0.0.1', '127.1.2.3:80', '[::1]:9', 'allowed.example:8080'])
		demand(status(await get('/metrics', `Host: ${host}`)) === 200, `Host: ${host} is refused`);
	for (const host of [
		'evil.example',
		'localhost.evil.example',
		'127.0.0.1.evil.example',
		'10.1.2.3',
		'[::2]',
		'[',
		'',
		'a'.repeat(300),
	])
		demand([400, 403].includes(status(await get('/metrics', `Host: ${host}`))), `Host: ${host} is served`);
	demand([400, 403].includes(status(await get('/metrics', 'X: y'))), 'no Host is served');
}

// Health checks of proxies say HTTP/1.0 and no Host, which no browser does; one that says a Host must say one of ours.
async function old_clients_are_served() {
	demand(status(await ask('GET /healthz HTTP/1.0\r\n\r\n')) === 200, 'HTTP/1.0 without Host is refused');
	demand(status(await ask('HEAD /healthz HTTP/1.0\r\n\r\n')) === 200, 'HEAD with HTTP/1.0 is refused');
	const options = await ask('OPTIONS / HTTP/1.0\r\n\r\n');
	demand(status(options) === 204 && /allow: GET, HEAD, OPTIONS/i.test(options), `OPTIONS: ${options.slice(0, 40)}`);
	for (const head of ['GET / HTTP/1.0\r\nHost: evil.example', 'OPTIONS / HTTP/1.1\r\nHost: evil.example'])
		demand(status(await ask(`${head}\r\n\r\n`)) === 403, `${head} is served`);
}

// RFC 9112, 3.2.2: a server accepts them, and their authority counts as much as a Host.
async function absolute_uris_are_served() {
	const at = (url, host) => ask(`GET ${url} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
	demand((await at(`http://${HOST}/healthz`, HOST)).endsWith('ok\n'), 'an absolute URI is refused');
	demand((await at(`HTTP://localhost/healthz?x=1`, 'localhost')).endsWith('ok\n'), 'a scheme in capitals is refused');
	demand((await at(`http://${HOST}`, HOST)).includes('<title>ontime'), 'an absolute URI without a path is refused');
	demand(status(await at(`http://${HOST}/nope`, HOST)) === 404, 'any path is served');
	for (const [url, host] of [
		['http://evil.example/healthz', HOST],
		[`http://${HOST}/healthz`, 'evil.example'],
		[`http://${HOST}@evil.example/healthz`, HOST],
		['http:///healthz', HOST],
	])
		demand(status(await at(url, host)) === 403, `${url} with Host ${host} is served`);
	demand(status(await ask('GET http://evil.example/healthz HTTP/1.0\r\n\r\n')) === 403, 'in HTTP/1.0 it is served');
}

// Which of the two formats a client gets that says what it accepts.
async function the_format_is_what_is_asked_for() {
	const open = 'application/openmetrics-text';
	const cases = [
		[null, false],
		['*/*', false],
		['text/plain', false],
		['text/html, */*;q=0.1', false],
		[`${open}`, true],
		[`${open};version=1.0.0`, true],
		[`${open};version=1.0.0;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1`, true],
		[`text/plain;q=0.9, ${open};version=1.0.0; q=0.3`, false],
		[`text/plain, ${open}`, true],
		[`${open};q=0`, false],
		[`${open};q=x, text/plain`, false],
		[`${'a,'.repeat(500)}${open}`, true],
	];
	for (const [accept, want] of cases) {
		const text = await get('/metrics', `Host: ${HOST}${accept === null ? '' : `\r\nAccept: ${accept}`}`);
		const is_open = /content-type: application\/openmetrics-text/i.test(text);
		const is_plain = /content-type: text\/plain; version=0.0.4/i.test(text);
		demand(is_open === want && is_plain === !want, `Accept: ${accept?.slice(0, 90)}: ${text.slice(0, 80)}`);
		demand(text.endsWith('# EOF\n') === want, `Accept: ${accept?.slice(0, 90)}: the wrong end`);
	}
}

async function malformed_is_survived() {
	const long = 'a'.repeat(200000);
	const bad = [
		'\r\n\r\n',
		'GET\r\n\r\n',
		'GET /\r\n\r\n',
		'\0\0\0\0',
		`GET /${long} HTTP/1.1\r\n\r\n`,
		`${long}\r\n\r\n`,
		`GET / HTTP/9.9\r\nHost: ${HOST}\r\n\r\n`,
		`GET / HTTP/1.1\r\n${long}: x\r\n\r\n`,
		`GET / HTTP/1.1\r\nHost: ${HOST}\r\nX: ${long}\r\n\r\n`,
		`GET / HTTP/1.1\r\nHost: ${HOST}\r\n${'X: y\r\n'.repeat(20000)}\r\n`,
		`GET / HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: -1\r\n\r\n`,
		`GET / HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
		'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
		`GET /events HTTP/1.1\r\nHost: ${HOST}\r\nLast-Event-ID: -99999999999999999999\r\n\r\n`,
	];
	for (const bytes of bad) {
		const text = await ask(bytes, 300);
		demand(
			bytes.includes('events') || ![200, 206].includes(status(text)) || bytes.includes('/9.9'),
			`${JSON.stringify(bytes.slice(0, 60))} is served`,
		);
		await good_client();
	}
}

// A valid request with bytes changed, removed, doubled: from a seed that is printed, so that it can be run again.
async function mutations_are_survived() {
	let seed = 20240611;
	const random = (n) => (seed = (seed * 1103515245 + 12345) % 2147483648) % n;
	const base = `GET /metrics?x=%41 HTTP/1.1\r\nHost: ${HOST}\r\nAccept: text/plain\r\nConnection: keep-alive\r\n\r\n`;
	for (let round = 0; round < 30; round++) {
		await Promise.all(
			Array.from({ length: 20 }, () => {
				let bytes = base;
				for (let k = 1 + random(6); k > 0; k--) {
					const at = random(bytes.length);
					bytes =
						bytes.slice(0, at) +
						[String.fromCharCode(random(256)), '', bytes.slice(at, at + random(40)).repeat(2)][random(3)] +
						bytes.slice(at + random(2));
				}
				return ask(bytes, 100);
			}),
		);
	}
	await good_client();
}

async function thousand_connections() {
	const crowd = [];
	let worst = 0;
	for (let i = 0; i < 1000; i++) {
		crowd.push(connect());
		if (i % 3 === 0) crowd[i].write('GET /metrics HTTP/1.1\r\nHost: ');
		if (i % 100 === 99) worst = Math.max(worst, await good_client());
	}
	await sleep(500);
	for (let i = 0; i < 20; i++) worst = Math.max(worst, await good_client());
	const kb = memory_kb('VmRSS');
	crowd.forEach((s) => s.destroy());
	demand(kb < MEMORY_KB, `${kb} KiB resident`);
	return `good clients waited ${worst} ms at most, ${kb} KiB resident`;
}

async function slow_readers() {
	const crowd = [];
	for (let i = 0; i < 200; i++) {
		const s = connect();
		s.pause();
		s.write(`GET /uPlot.js HTTP/1.1\r\nHost: ${HOST}\r\n\r\nGET /metrics HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`.repeat(40));
		crowd.push(s);
	}
	await sleep(1000);
	const worst = await good_client();
	const kb = memory_kb('VmRSS');
	crowd.forEach((s) => s.destroy());
	demand(kb < MEMORY_KB, `${kb} KiB resident`);
	return `a good client waited ${worst} ms, ${kb} KiB resident`;
}

// One byte a second: it is ended all the same. Returns when the last of them is gone.
async function slow_askers_are_ended() {
	const began = Date.now();
	const crowd = Array.from({ length: 50 }, connect);
	const open = new Set(crowd);
	crowd.forEach((s) => s.on('close', () => open.delete(s)).resume());
	const bytes = `GET / HTTP/1.1\r\nX-Slow: ${'z'.repeat(100)}`;
	for (let i = 0; open.size && i < ASK_SECONDS + 4; i++) {
		open.forEach((s) => s.write(bytes[i]));
		await sleep(1000);
	}
	demand(open.size === 0, `${open.size} of 50 are still connected after ${ASK_SECONDS + 4} s`);
	demand(Date.now() - began > ASK_SECONDS * 1000 - 1500, 'they were ended too soon');
}

const n_streams = async () => Number(/^ontime_dash_streams (\d+)/m.exec(await get('/metrics'))[1]);

function stream() {
	const s = connect();
	s.text = '';
	s.on('data', (d) => (s.text += d));
	s.write(`GET /events HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
	return s;
}

async function streams_are_limited() {
	const before = await n_streams();
	const crowd = Array.from({ length: MAX_STREAMS + 10 }, stream);
	await sleep(700);
	const served = crowd.filter((s) => status(s.text) === 200).length;
	const refused = crowd.filter((s) => status(s.text) === 503).length;
	await good_client();
	crowd.forEach((s) => s.destroy());
	demand(
		served === MAX_STREAMS - before && served + refused === crowd.length,
		`${served} served, ${refused} refused, ${before} before`,
	);
	for (let i = 0; i < 50 && (await n_streams()) > before; i++) await sleep(100);
	demand((await n_streams()) === before, 'the places of those that left are not free');
}

// Reads along, then not for a while, then again: it is told what is now, not all it missed.
async function slow_stream_skips() {
	const s = stream();
	await sleep(1500);
	s.pause();
	await sleep(14000);
	s.resume();
	await sleep(1500);
	s.destroy();
	const ids = [...s.text.matchAll(/^id: (\d+)$/gm)].map((m) => Number(m[1]));
	const longest = Math.max(...ids.slice(1).map((id, i) => id - ids[i]));
	demand(ids.length > 15 && ids.every((id, i) => i === 0 || id > ids[i - 1]), `${ids.length} events, or not in order`);
	demand(longest > 2500, `nothing was skipped: at most ${longest} ms between two events`);
	demand(Date.now() - ids[ids.length - 1] < 1500, 'it is not told what is now');
	for (const m of s.text.matchAll(/^data: (.*)$/gm)) if (m[1].endsWith('}')) JSON.parse(m[1].replace(/\r.*/, ''));
	return `${ids.length} events, ${longest} ms skipped`;
}

async function stuck_streams_are_dropped() {
	const before = await n_streams();
	const crowd = Array.from({ length: 5 }, () => stream().pause());
	await sleep(500);
	const during = await n_streams();
	const deadline = Date.now() + (ANSWER_SECONDS + 20) * 1000;
	while ((await n_streams()) > before && Date.now() < deadline) await sleep(500);
	const after = await n_streams();
	crowd.forEach((s) => s.destroy());
	demand(during >= before + 5 && after <= before, `${during} streams, and ${after} in the end`);
}

async function check(name, test) {
	try {
		const more = await test();
		console.log(`ok   ${name}${more ? `: ${more}` : ''}`);
	} catch (e) {
		console.log(`FAIL ${name}\n${e.message}`);
		process.exitCode = 1;
	}
}

(async () => {
	await check('answers are right', answers_are_right);
	await check('other methods and bodies are refused', methods_and_bodies_are_refused);
	await check('foreign host names are refused', foreign_hosts_are_refused);
	await check('HTTP/1.0 without Host is served', old_clients_are_served);
	await check('absolute URIs are served, foreign ones refused', absolute_uris_are_served);
	await check('OpenMetrics is for those who ask for it', the_format_is_what_is_asked_for);
	await check('there is room for so many streams, then none, then again', streams_are_limited);
	const waiting = [
		check('a stream that was slow goes on with what is now', slow_stream_skips),
		check('streams that nobody reads are dropped', stuck_streams_are_dropped),
	];
	await check('malformed requests are survived', malformed_is_survived);
	await check('600 mutated requests (seed 20240611) are survived', mutations_are_survived);
	await check('slow readers cost no memory, and nobody else', slow_readers);
	waiting.push(check('slow askers are ended in time', slow_askers_are_ended));
	await Promise.all(waiting);
	await check('1,000 connections: good clients are served', thousand_connections);
	await check('its memory stayed bounded', async () => {
		const kb = memory_kb('VmHWM');
		demand(kb < MEMORY_KB, `${kb} KiB at most`);
		return `${kb} KiB resident at most`;
	});
})();
