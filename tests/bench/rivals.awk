# rivals.awk - what tests/bench/rivals.sh prints, of the lines that it kept: medians and quartiles over the rounds that count.
#
# usage: awk -v as=table|json|markdown -f rivals.awk ROWS
#
# ROWS: SCHEDULING HOGS WHAT BYTES SOURCE SINK and then a line of tests/rivals/rivals.c; or `calls WHAT RELAY CALLS PACKETS`.
# What a packet costs the kernel itself is taken from the sender: with the forwarding, minus directly, in the same round.
$1 == "calls" {
	if ($5 > 0) calls[$3, $2] = $4 / $5
	if (!($3 in traced)) {traced[$3] = 1; trace_order[++n_traced] = $3}
	next
}
{
	cell = $1 " " $2 " " $3 " " $4 " " $5 " " $6
	if (!(cell in rounds)) {cells[++n_cells] = cell; rounds[cell] = 0; discarded[cell] = 0}
	if (!((cell, $7) in seen)) {
		seen[cell, $7] = 1
		if ($8 == "kept") kept[cell, ++rounds[cell]] = $7
		else discarded[cell]++
	}
	if ($8 != "kept") next
	if (!((cell, $9) in lost)) order[cell, ++n_relays[cell]] = $9
	lost[cell, $9] += $10 - $11
	misplaced[cell, $9] += $12
	at = cell SUBSEP $9 SUBSEP $7
	if ($11 == 0) next
	cpu[at] = $13 / $11
	voluntary[at] = $14 / $11
	involuntary[at] = $15 / $11
	sending[at] = $16
	q50[at] = $17 / 1e3
	q99[at] = $18 / 1e3
	q999[at] = $19 / 1e3
}

function sort(v, n,    i, j, x) {
	for (i = 2; i <= n; i++) {
		x = v[i]
		for (j = i - 1; j > 0 && v[j] > x; j--) v[j + 1] = v[j]
		v[j + 1] = x
	}
}

function share(v, n, q,    at, low) { # the quantile, between its neighbours
	if (n == 0) return "nan"
	at = 1 + (n - 1) * q
	low = int(at)
	return low >= n ? v[n] : v[low] + (at - low) * (v[low + 1] - v[low])
}

function cost(cell, relay, round,    at) { # "" where it carried nothing
	at = cell SUBSEP relay SUBSEP round
	if (!(at in cpu)) return ""
	if (relay != "kernel") return cpu[at]
	if (!((cell SUBSEP "direct" SUBSEP round) in sending)) return ""
	return sending[at] - sending[cell, "direct", round]
}

function value(metric, cell, relay, round,    at, ref, own, its) {
	at = cell SUBSEP relay SUBSEP round
	ref = cell SUBSEP "reference" SUBSEP round
	if (!(at in cpu)) return ""
	if (metric == "cpu") return cost(cell, relay, round)
	if (metric == "voluntary") return voluntary[at]
	if (metric == "involuntary") return involuntary[at]
	if (metric == "p50") return q50[at]
	if (metric == "p99") return q99[at]
	if (metric == "p99.9") return q999[at]
	if (!(ref in cpu)) return ""
	if (metric == "+p50") return q50[at] - q50[ref]
	if (metric == "+p99") return q99[at] - q99[ref]
	if (metric == "+p99.9") return q999[at] - q999[ref]
	own = cost(cell, relay, round)
	its = cost(cell, "reference", round)
	return own == "" || its == 0 ? "" : own / its # ratio
}

function over_rounds(metric, cell, relay,    i, x, v, n) { # leaves low, middle and high
	n = 0
	for (i = 1; i <= rounds[cell]; i++) {
		x = value(metric, cell, relay, kept[cell, i])
		if (x != "") v[++n] = x
	}
	sort(v, n)
	low = share(v, n, 0.25)
	middle = share(v, n, 0.5)
	high = share(v, n, 0.75)
	return middle
}

function shown(x, format) {
	return x == "nan" ? "-" : sprintf(format, x)
}

function has_processes(relay) {
	return relay != "kernel" && relay != "direct"
}

function title(cell,    f) {
	split(cell, f, " ")
	return (f[3] == "saturated" ? "saturated" : f[3] "/s") ", " f[4] " B, " f[5] " source, " f[6] " sink, " \
		(f[1] == "fifo" ? "real time" : "ordinary") (f[2] > 0 ? ", beside a busy process" : "")
}

function table_row(cell, relay, paced) {
	printf "%-16s %7s", relay, shown(over_rounds("cpu", cell, relay), "%.0f")
	over_rounds("ratio", cell, relay)
	printf " %6s %6s %6s", shown(low, "%.2f"), shown(middle, "%.2f"), shown(high, "%.2f")
	printf " %6s %6s", has_processes(relay) ? shown(over_rounds("voluntary", cell, relay), "%.3f") : "-",
		has_processes(relay) ? shown(over_rounds("involuntary", cell, relay), "%.3f") : "-"
	if (paced) {
		printf " %6s %6s %7s", shown(over_rounds("p50", cell, relay), "%.1f"), shown(over_rounds("p99", cell, relay), "%.0f"),
			shown(over_rounds("p99.9", cell, relay), "%.0f")
		over_rounds("+p50", cell, relay)
		printf " %6s %6s %6s", shown(low, "%.1f"), shown(middle, "%.1f"), shown(high, "%.1f")
		printf " %6s %7s", shown(over_rounds("+p99", cell, relay), "%.0f"), shown(over_rounds("+p99.9", cell, relay), "%.0f")
	}
	printf " %6d\n", lost[cell, relay]
}

function table(cell,    i, paced) {
	paced = (cell !~ / saturated /)
	printf "\n%s: %d rounds, %d discarded\n", title(cell), rounds[cell], discarded[cell]
	if (rounds[cell] == 0) return
	printf "%-16s %7s %6s %6s %6s %6s %6s", "relay", "CPU ns", "r.25", "ratio", "r.75", "volun.", "invol."
	if (paced) printf " %6s %6s %7s %6s %6s %6s %6s %7s", "p50", "p99", "p99.9", "+.25", "+p50", "+.75", "+p99", "+p99.9"
	printf " %6s\n", "lost"
	for (i = 1; i <= n_relays[cell]; i++)
		if (order[cell, i] != "direct") table_row(cell, order[cell, i], paced)
}

function calls_table(    i) {
	printf "\nsystem calls per packet, 512 B, plain source and sink, each relay alone under strace\n%-16s %9s %10s\n", "relay", "1000/s", "saturated"
	for (i = 1; i <= n_traced; i++)
		printf "%-16s %9s %10s\n", trace_order[i], (trace_order[i], "1000") in calls ? sprintf("%.2f", calls[trace_order[i], "1000"]) : "-",
			(trace_order[i], "saturated") in calls ? sprintf("%.3f", calls[trace_order[i], "saturated"]) : "-"
}

function number(x) {
	return x == "nan" ? "null" : sprintf("%.6g", x)
}

function json_metric(metric, cell, relay) {
	over_rounds(metric, cell, relay)
	return sprintf("\"%s\": [%s, %s, %s]", metric, number(low), number(middle), number(high))
}

function json_row(cell, relay,    f, text) {
	split(cell, f, " ")
	text = sprintf("{\"load\": \"%s\", \"bytes\": %d, \"source\": \"%s\", \"sink\": \"%s\", \"scheduling\": \"%s\", \"busy_processes\": %d, ",
		f[3], f[4], f[5], f[6], f[1], f[2])
	text = text sprintf("\"relay\": \"%s\", \"rounds\": %d, \"discarded\": %d, \"lost\": %d, \"misplaced\": %d", relay, rounds[cell],
		discarded[cell], lost[cell, relay], misplaced[cell, relay])
	text = text ", " json_metric("cpu", cell, relay) ", " json_metric("ratio", cell, relay)
	if (has_processes(relay))
		text = text ", " json_metric("voluntary", cell, relay) ", " json_metric("involuntary", cell, relay)
	if (f[3] != "saturated")
		text = text ", " json_metric("p50", cell, relay) ", " json_metric("p99", cell, relay) ", " json_metric("p99.9", cell, relay) \
			", " json_metric("+p50", cell, relay) ", " json_metric("+p99", cell, relay) ", " json_metric("+p99.9", cell, relay)
	return text "}"
}

function json(    i, j, comma, part) {
	printf "{\"rows\": ["
	for (i = 1; i <= n_cells; i++)
		for (j = 1; j <= n_relays[cells[i]]; j++) {
			printf "%s\n%s", comma, json_row(cells[i], order[cells[i], j])
			comma = ","
		}
	printf "\n], \"calls\": ["
	comma = ""
	for (part in calls) {
		split(part, f, SUBSEP)
		printf "%s\n{\"relay\": \"%s\", \"load\": \"%s\", \"per_packet\": %.4g}", comma, f[1], f[2], calls[part]
		comma = ","
	}
	print "\n]}"
}

function markdown_cell(cell, relay, paced) {
	if (!((cell, relay) in lost)) return " |"
	if (!paced && relay == "reference") return sprintf(" %s ns |", shown(over_rounds("cpu", cell, relay), "%.0f"))
	if (!paced) {
		over_rounds("ratio", cell, relay)
		return sprintf(" %s (%s to %s)%s |", shown(middle, "%.2f"), shown(low, "%.2f"), shown(high, "%.2f"),
			lost[cell, relay] > 0 ? ", lost " lost[cell, relay] : "")
	}
	if (relay == "reference")
		return sprintf(" %s / %s / %s, %s us |", shown(over_rounds("p50", cell, relay), "%.0f"), shown(over_rounds("p99", cell, relay), "%.0f"),
			shown(over_rounds("p99.9", cell, relay), "%.0f"), shown(over_rounds("cpu", cell, relay) / 1e3, "%.1f"))
	return sprintf(" %s / %s / %s, %s%s |", shown(over_rounds("+p50", cell, relay), "%+.1f"), shown(over_rounds("+p99", cell, relay), "%+.0f"),
		shown(over_rounds("+p99.9", cell, relay), "%+.0f"), shown(over_rounds("ratio", cell, relay), "%.2f"),
		lost[cell, relay] > 0 ? ", lost " lost[cell, relay] : "")
}

function markdown(paced,    i, j, names, n, cell, said) {
	for (i = 1; i <= n_cells; i++) # in the order of the cells, each relay once
		for (j = 1; j <= n_relays[cells[i]]; j++)
			if ((cells[i] !~ / saturated /) == paced && order[cells[i], j] != "direct" && !(order[cells[i], j] in said)) {
				names[++n] = order[cells[i], j]
				said[names[n]] = 1
			}
	if (n == 0) return
	print paced ? "\nLatency in us, p50 / p99 / p99.9, and CPU per packet; the reference's, the others' difference to it, and ratio\n" \
		: "\nCPU per packet, saturated: the reference's, and the others' ratio to it, with quartiles\n"
	printf "| |"
	for (j = 1; j <= n; j++) printf " %s |", names[j]
	printf "\n|---|"
	for (j = 1; j <= n; j++) printf "---|"
	print ""
	for (i = 1; i <= n_cells; i++) {
		cell = cells[i]
		if ((cell !~ / saturated /) != paced || rounds[cell] == 0) continue
		printf "| %s |", title(cell)
		for (j = 1; j <= n; j++) printf "%s", markdown_cell(cell, names[j], paced)
		print ""
	}
}

END {
	if (as == "json") json()
	else if (as == "markdown") {
		markdown(0)
		markdown(1)
	} else {
		for (i = 1; i <= n_cells; i++) table(cells[i])
		if (n_traced) calls_table()
	}
}
