/*
 * rig.js - what the tests of the page share: their arguments, the page under test, traffic, and what the page is asked.
 *
 * Rules:   a test is a function of the page; it throws what is wrong, or returns what more there is to say.
 */
'use strict';
const { execFileSync, spawn } = require('child_process');

const [url, build, conf, instance, dir, other_conf, other_instance] = process.argv.slice(2);
const rig = { url, build, conf, instance, dir, other_conf, other_instance, page: null };
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const run = (...command) => execFileSync(command[0], command.slice(1), { encoding: 'utf8' });

function demand(condition, what) {
	if (!condition) throw new Error(what);
}

function load(rate, seconds) {
	const child = spawn(`${build}/load`, ['-c', conf, '--rate', String(rate), '--seconds', String(seconds)], {
		stdio: 'ignore',
	});
	return new Promise((resolve) => child.on('exit', resolve));
}

// Prints "ok NAME" or "FAIL NAME".
async function check(name, test) {
	try {
		const more = await test(rig.page);
		console.log(`ok   ${name}${more ? `: ${more}` : ''}`);
	} catch (e) {
		console.log(`FAIL ${name}\n${e.message}`);
		process.exitCode = 1;
	}
}

/* What the page is asked, in its own words. */
const HELPERS = `
  // how many pixels of that element's chart have the colour of that name, from x on for so many
  window.painted = (selector, name, x = 0, width = 0) => {
    const canvas = document.querySelector(selector + ' .uplot canvas');
    const hex = getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
    const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(x, 0, width || canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 200 && want.every((w, k) => Math.abs(data[i + k] - w) < 12)) n++;
    return n;
  };
  // likewise, where the event whose text begins so is marked
  window.painted_at = (selector, name, text) => {
    const chart = ontime.charts.find((c) => c.parent.matches(selector));
    const e = ontime.model.events.find((one) => one.text.startsWith(text));
    return painted(selector, name, Math.round(chart.u.valToPos(e.t, 'x', true)) - 1, 3);
  };
  window.class_of = (name) => ontime.model.classes.get(name);
  window.last_of = (values, n) => values.filter((v) => v !== null).slice(-n);
  window.legend_of = (selector, label) => [...document.querySelectorAll(selector + ' .legend span')].find((e) => e.querySelector('em')?.textContent === label);
`;

module.exports = { rig, sleep, run, demand, load, check, HELPERS };
