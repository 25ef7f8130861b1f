/* get.js URL [HEADER: VALUE]... - what a GET is answered: "HTTP STATUS", the headers, an empty line, the body. */
'use strict';
const http = require('http');

const [url, ...lines] = process.argv.slice(2);
const headers = Object.fromEntries(lines.filter(Boolean).map((l) => l.split(/: */, 2)));
http
	.get(url, { headers, timeout: 5000 }, (answer) => {
		const head = Object.entries(answer.headers)
			.map(([key, value]) => `${key}: ${value}\n`)
			.join('');
		process.stdout.write(`HTTP ${answer.statusCode}\n${head}\n`);
		answer.pipe(process.stdout);
	})
	.on('error', (e) => {
		console.error(e.message);
		process.exit(1);
	});
