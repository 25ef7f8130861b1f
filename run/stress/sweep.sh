# shellcheck shell=sh disable=SC2154
# sweep.sh - run/stress.sh --sweep: every combination of quanta, queue limits and spin. Sourced by it.

classes=$("$build/hold" --classes -c "$config" | awk '{print $1}')
n_classes=$(echo "$classes" | wc -l)
for ratio in $quanta; do
	echo "$ratio" | grep -qE "^[1-9][0-9]{0,3}(:[1-9][0-9]{0,3}){$((n_classes - 1))}\$" ||
		die 2 "stress: --quanta $ratio: not $n_classes numbers from 1 to 9999 with : between, one per class"
done

settings() { # RATIO QUEUE SPIN: as options of the config
	echo "--spin=$3"
	i=0
	for class in $classes; do
		i=$((i + 1))
		quantum=$((2 * $(echo "$1" | cut -d: -f$i)))KiB
		printf -- '--%s.%s\n' "$class" "ingress_quantum=$quantum" "$class" "egress_quantum=$quantum" \
			"$class" "ingress_to_edf=$2" "$class" "edf_to_egress=$2"
	done
}

combinations() {
	for policy in $policies; do for ratio in $quanta; do for queue in $queues; do for spin in $spins; do
		echo "$policy $ratio $queue $spin"
	done; done; done; done
}

combinations >"$work/combinations"
n_runs=$(wc -l <"$work/combinations")
while read -r policy ratio queue spin; do # all of them are looked at before the first runs
	# shellcheck disable=SC2046
	said=$("$build/hold" --check -c "$config" "--policy=$policy" $(settings "$ratio" "$queue" "$spin") 2>&1) || {
		printf '%s\n' "$said" | head -n 1 >&2 # a value that was given once stands in an option of each class
		exit 2
	}
done <"$work/combinations"
while read -r policy ratio queue spin; do
	# shellcheck disable=SC2046
	run "$policy $ratio $queue $spin" "--policy=$policy" $(settings "$ratio" "$queue" "$spin") </dev/null
done <"$work/combinations"

# A socket's queue grows if near the end it holds a quarter more than in the middle, and a few datagrams.
# shellcheck disable=SC2046
jq -rs '
def percent($of): if $of > 0 then 100 * . / $of | . * 100 | round / 100 else 0 end;
def sum(f): map(f) | add // 0;
["policy", "quanta", "queue", "spin", "offered", "not_delivered", "not_delivered_percent", "on_time_percent", "queue_grows",
	(.[0].load.flows[].class | . + "_on_time_percent", . + "_p99_us"),
	"held_middle", "held_end", "socket_middle_bytes", "socket_end_bytes", "cpu_percent"],
(.[] | .load.flows as $flows | .load.source.seconds as $seconds | (.backlog[0] // {}) as $middle | (.backlog[1] // $middle) as $late |
	(.name / " ") + [($flows | sum(.sent)), ($flows | sum(.not_delivered)), (($flows | sum(.not_delivered)) | percent($flows | sum(.sent))),
		(($flows | sum(.on_time)) | percent($flows | sum(.sent_timed))),
		(if $late.socket_bytes > 1.25 * $middle.socket_bytes + 65536 then "yes" else "no" end),
		($flows[] | .sent_timed as $of | (.on_time | percent($of)), (.latency_ns.p99 / 100 | round / 10)),
		$middle.held, $late.held, $middle.socket_bytes, $late.socket_bytes,
		(.cpu | sum(.cpu_ns) / $seconds / 1e5 | round / 100)])
| join(",")' $(seq -f "$work/run.%g.json" 0 $((n_runs - 1))) >"$report.csv"

{
	echo "# Sweep"
	echo
	echo "$(basename "$config"), $n_runs combinations of $seconds s each; offered: $rates packets/s, $arrivals arrivals, $size bytes, seed $seed."
	echo "$(nproc) CPUs, Linux $(uname -r), $(date -u +%Y-%m-%dT%H:%M:%SZ). All columns: $(basename "$report").csv."
	echo
	echo "The best first: no growing queue, then the least loss (in whole percent: these runs are short), then the most in time."
	echo
	echo "| policy | quanta (2 KiB) | queue | spin | lost % | on time % | queue grows | CPU % |"
	echo "| --- | --- | --- | --- | --- | --- | --- | --- |"
	tail -n +2 "$report.csv" | awk -F, '{print ($9 == "yes") "," int($7 + 0.5) "," 100 - $8 "," $0}' | sort -t, -k1,1n -k2,2n -k3,3n |
		awk -F, '{printf "| %s | %s | %s | %s | %s | %s | %s | %s |\n", $4, $5, $6, $7, $10, $11, $12, $NF}'
} >"$report.md"
sed -n '/^| ---/{n;p;}' "$report.md" | awk -F' *[|] *' '{
	printf "ontime: best of all: policy %s, quanta %s, queues of %s, spin %s: %s %% lost, %s %% on time%s\n", $2, $3, $4, $5, $6, $7,
		$8 == "yes" ? ", but even there a queue grows" : ""}'
say "the report is in $report.md, all combinations in $report.csv"
