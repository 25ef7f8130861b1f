/*
 * wakeups.bpf.h - how long a stage that was woken waits for a CPU. Attached on demand: it costs each switch of all
 * processes.
 *
 * Rules:   from sched_waking to the sched_switch that brings the stage in. A wake that finds it awake shows as no
 *          switch; what it left is forgotten when the stage is preempted, and overwritten by the next.
 */
struct task_struct {
	int pid;
} __attribute__((preserve_access_index));

/* -1: none of ours. */
static __always_inline int stage_of(uint32_t pid, struct latency_stage **stage)
{
	for (uint32_t i = 0; i < LATENCY_STAGES; i++) {
		uint32_t key = i;

		*stage = bpf_map_lookup_elem(&stages, &key);
		if (*stage && (*stage)->pid == pid)
			return (int)i;
	}
	return -1;
}

SEC("tp_btf/sched_waking")
int BPF_PROG(waking, struct task_struct *task)
{
	uint32_t pid = (uint32_t)task->pid;
	struct latency_stage *s;

	if (pid && stage_of(pid, &s) >= 0)
		s->waking_at_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/sched_switch")
int BPF_PROG(switched, bool preempted, struct task_struct *out, struct task_struct *in)
{
	uint32_t out_pid = (uint32_t)out->pid, in_pid = (uint32_t)in->pid, bucket;
	struct latency_histogram *h;
	struct latency_stage *s;
	uint64_t ns;
	int stage;

	if (preempted && out_pid && stage_of(out_pid, &s) >= 0)
		s->waking_at_ns = 0;
	stage = in_pid ? stage_of(in_pid, &s) : -1;
	if (stage < 0 || s->waking_at_ns == 0)
		return 0;
	ns = bpf_ktime_get_ns() - s->waking_at_ns;
	s->waking_at_ns = 0;
	h = histogram_of(settings.n_classes, (uint32_t)stage);
	bucket = histogram_bucket(ns);
	if (!h || bucket >= HISTOGRAM_BUCKETS)
		return 0;
	if (s->generation != control.generation) {
		clear(settings.n_classes * LATENCY_SPANS + (uint32_t)stage);
		s->generation = control.generation;
	}
	h->buckets[bucket]++;
	h->count++;
	h->sum_ns += ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	return 0;
}
