/* streams.js URL N MS - N clients of /events that read along for so long. */
'use strict';
const http = require('http');

const [url, n, ms] = process.argv.slice(2);
for (let i = 0; i < Number(n); i++)
	http.get(url, (answer) => answer.resume()).on('error', (e) => console.error(e.message));
setTimeout(() => process.exit(0), Number(ms));
