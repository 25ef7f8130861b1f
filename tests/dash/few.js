/* few.js PORT - a dash with few descriptors: a good client is served beside 60 that say nothing and five that read along. */
'use strict';
const net = require('net');

const PORT = Number(process.argv[2]);
const HOST = `127.0.0.1:${PORT}`;
const GOOD_CLIENT_MS = 3000;
const IDLE = 60;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function connect() {
	const s = net.connect(PORT, '127.0.0.1');
	s.on('error', () => {}); // to be disconnected is what these get
	return s;
}

// The status line, or '' after so long.
function good_client() {
	return new Promise((resolve) => {
		const s = connect();
		const end = (text) => (clearTimeout(timer), s.destroy(), resolve(text));
		const timer = setTimeout(() => end(''), GOOD_CLIENT_MS);
		s.once('data', (d) => end(d.toString('latin1').split('\r\n')[0]));
		s.write(`GET /healthz HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
	});
}

(async () => {
	for (let i = 0; i < 50 && !(await good_client()); i++) await sleep(100);
	const streams = Array.from({ length: 5 }, () => {
		const s = connect();
		s.write(`GET /events HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`);
		return s.resume();
	});
	const idle = Array.from({ length: IDLE }, connect);
	await sleep(500);
	const began = Date.now();
	const answers = [await good_client(), await good_client(), await good_client()];
	console.log(`${JSON.stringify(answers)} after ${Date.now() - began} ms`);
	[...streams, ...idle].forEach((s) => s.destroy());
	process.exit(answers.every((a) => /^HTTP\/1\.1 (200|503)/.test(a)) ? 0 : 1);
})();
