/* odd.js - looks with one part that is missing, of another kind, or too much: each must be refused or do no harm. */
'use strict';

// Every part of a look, as a path of keys.
function paths_of(value, path = []) {
	const inner = typeof value === 'object' && value !== null ? Object.keys(value) : [];
	return [path, ...inner.flatMap((key) => paths_of(value[key], [...path, key]))];
}

const ODD = [undefined, null, 'x', '', -1, 1e300, true, [], {}, [null], { x: null }];

// The look with one part of it replaced; undefined: left out.
function with_odd(look, path, odd) {
	if (!path.length) return odd === undefined ? 0 : odd;
	const copy = structuredClone(look);
	let at = copy;
	for (const key of path.slice(0, -1)) at = at[key];
	const key = path[path.length - 1];
	if (odd !== undefined) at[key] = odd;
	else if (Array.isArray(at)) at.splice(key, 1);
	else delete at[key];
	return copy;
}

// The look with each of its parts replaced by each odd value, and some that are odd as a whole. It is cut down before.
function odd_looks(good) {
	good.classes.splice(1); // one class and one stage are like the others
	good.stages.splice(1);
	const paths = paths_of(good).filter((path) => path[0] !== 'at_unix_ms');
	const odd = paths.flatMap((path) => ODD.map((value) => with_odd(good, path, value)));
	odd.push({ ...good, classes: Array.from({ length: 100 }, (_, i) => ({ ...good.classes[0], class: `c${i}` })) });
	odd.push({ ...good, classes: [good.classes[0], good.classes[0]] });
	odd.push({ at_unix_ms: 1, error: '' }, { error: 'x' });
	return odd;
}

module.exports = { odd_looks };
