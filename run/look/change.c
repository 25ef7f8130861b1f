/* change.c - what happened between two looks. */
#include "change.h"

#include <string.h>

#include "stage/waits.h"

void view_launch(const struct view *now, struct view *launch)
{
	memset(launch, 0, sizeof(*launch));
	launch->at_ns = launch->created_at_ns = now->created_at_ns;
	launch->n_classes = now->n_classes;
	launch->n_shards = now->n_shards;
	for (int i = 0; i < N_STAGES; i++)
		launch->stages[i].pid = now->stages[i].pid;
	for (uint32_t i = 0; i < N_STAGES * view_shards(now); i++)
		launch->each[i / N_STAGES][i % N_STAGES].pid = view_stage(now, i / N_STAGES, i % N_STAGES)->pid;
}

static uint64_t grown(uint64_t now, uint64_t before)
{
	return now > before ? now - before : 0;
}

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return (double)grown(now, before) / seconds;
}

static void change_spans(const struct account *now, const struct account *before, struct class_change *out)
{
	uint64_t total_ns = 0;

	for (int s = 0; s < N_SPANS; s++)
		total_ns += grown(now->span_sum_ns[s], before->span_sum_ns[s]);
	for (int s = 0; total_ns && s < N_SPANS; s++)
		out->span_share[s] = (double)grown(now->span_sum_ns[s], before->span_sum_ns[s]) / (double)total_ns;
}

static void change_latency(const struct class_view *now, const struct class_view *before, struct class_change *out)
{
	uint64_t latency[HISTOGRAM_BUCKETS];
	uint64_t n = class_latency_since(now, before, latency);
	uint64_t longest_ns = histogram_percentile(latency, 1000000);

	if (n == 0)
		return;
	/* A new record is exact; else the upper edge of a bucket, which the record bounds. */
	if (longest_ns > now->account.latency_max_ns || now->account.latency_max_ns > before->account.latency_max_ns)
		longest_ns = now->account.latency_max_ns;
	for (int p = 0; p < N_PERCENTILES; p++) {
		out->percentile_ns[p] = histogram_percentile(latency, percentile_per_million((enum percentile)p));
		if (out->percentile_ns[p] > longest_ns)
			out->percentile_ns[p] = longest_ns;
	}
	out->mean_ns = grown(now->account.latency_sum_ns, before->account.latency_sum_ns) / n;
}

static void change_copies(const struct account *now, const struct account *before, double seconds,
			  struct class_change *out)
{
	for (uint32_t d = 0; d < now->n_copies; d++) {
		out->copy_error_pps += rate(now->copies[d].error_pkts, before->copies[d].error_pkts, seconds);
		for (int r = 0; r < N_SKIP_REASONS; r++)
			out->skipped_pps[r] +=
				rate(now->copies[d].skipped_pkts[r], before->copies[d].skipped_pkts[r], seconds);
	}
}

void class_change(const struct class_view *now_class, const struct class_view *before_class, uint64_t ns,
		  struct class_change *out)
{
	const struct account *now = &now_class->account, *before = &before_class->account;
	double seconds = (double)ns / 1e9;
	uint64_t late = grown(now->sent_late_pkts, before->sent_late_pkts);
	uint64_t dropped = grown(account_dropped_pkts(now), account_dropped_pkts(before));

	memset(out, 0, sizeof(*out));
	out->sent_pkts = grown(now->sent_pkts, before->sent_pkts);
	out->received_pps = rate(now->received_pkts, before->received_pkts, seconds);
	out->sent_pps = (double)out->sent_pkts / seconds;
	out->sent_bits_per_s = 8 * rate(now->sent_bytes, before->sent_bytes, seconds);
	out->dropped_pps = (double)dropped / seconds;
	out->late_pps = (double)late / seconds;
	out->marked_pps = rate(now->marked_pkts, before->marked_pkts, seconds);
	out->unexpected_pps = rate(now->unexpected_reply_pkts, before->unexpected_reply_pkts, seconds);
	out->refused_per_s = rate(now->refused_events, before->refused_events, seconds);
	for (int r = 0; r < N_DROP_REASONS; r++)
		out->reason_pps[r] = rate(now->dropped_pkts[r], before->dropped_pkts[r], seconds);
	for (int i = 0; i < SEND_ERRNOS; i++)
		out->errno_pps[i] = rate(now->send_errno_pkts[i], before->send_errno_pkts[i], seconds);
	change_copies(now, before, seconds, out);
	for (int s = 0; s < N_SPANS; s++)
		out->late_span_pps[s] = rate(now->late_span_pkts[s], before->late_span_pkts[s], seconds);
	out->on_time = -1;
	if (now->budget_ns != BUDGET_NONE && out->sent_pkts + dropped > 0)
		out->on_time = (double)grown(out->sent_pkts, late) / (double)(out->sent_pkts + dropped);
	change_spans(now, before, out);
	change_latency(now_class, before_class, out);
}

void stage_change(const struct stage_view *now, const struct stage_view *before, uint64_t ns, struct stage_change *out)
{
	/* A process that is gone has used 0, so `before` is subtracted only from what is more. */
	uint64_t used_ns = now->pid == before->pid && now->cpu_ns >= before->cpu_ns ? before->cpu_ns : 0;

	memset(out, 0, sizeof(*out));
	out->is_new = now->pid != before->pid;
	used_ns = now->cpu_ns - used_ns;
	out->cpu = (double)used_ns / (double)((out->is_new || before->starts == 0) && now->up_ns ? now->up_ns : ns);
	out->parks_per_s = rate(now->parks, before->parks, (double)ns / 1e9);
	out->rings_per_s = rate(now->rings, before->rings, (double)ns / 1e9);
}

static struct waits waits_of(const struct stage_view *s)
{
	return (struct waits){ s->cpu_ns, s->queued_ns, (int)s->is_ready };
}

/* The time it waited, less the time the other stages ran: they may have been on the same CPU. */
static double starved(const struct stage_view *now, const struct stage_view *before, uint64_t ns, int id,
		      const struct stage_change change[N_STAGES])
{
	struct waits is = waits_of(now), was = waits_of(before);
	double share;

	if (change[id].is_new || before->starts == 0)
		return 0;
	share = (double)waits_between(&was, &is, ns) / (double)ns;
	for (int i = 0; i < N_STAGES; i++)
		share -= i == id ? 0 : change[i].cpu;
	return share > 0 ? share : 0;
}

/* Those of one shard. */
static void shard_change(const struct view *now, const struct view *before, uint64_t ns, uint32_t shard,
			 struct stage_change out[N_STAGES])
{
	for (uint32_t i = 0; i < N_STAGES; i++)
		stage_change(view_stage(now, shard, i), view_stage(before, shard, i), ns, &out[i]);
	for (uint32_t i = 0; i < N_STAGES; i++)
		out[i].starved = starved(view_stage(now, shard, i), view_stage(before, shard, i), ns, (int)i, out);
}

void stages_change(const struct view *now, const struct view *before, uint64_t ns, struct stage_change out[N_STAGES])
{
	struct stage_change one[N_STAGES];

	shard_change(now, before, ns, 0, out);
	for (uint32_t shard = 1; shard < view_shards(now); shard++) {
		shard_change(now, before, ns, shard, one);
		for (int i = 0; i < N_STAGES; i++) {
			out[i].is_new |= one[i].is_new;
			out[i].cpu += one[i].cpu;
			out[i].parks_per_s += one[i].parks_per_s;
			out[i].rings_per_s += one[i].rings_per_s;
			out[i].starved = one[i].starved > out[i].starved ? one[i].starved : out[i].starved;
		}
	}
}
