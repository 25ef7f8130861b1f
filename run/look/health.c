/* health.c - is all well? */
#include "health.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "destinations.h"

static const char *const names[N_CAUSE_KINDS] = {
	[CAUSE_UNBALANCED] = "unbalanced",
	[CAUSE_STAGE_DOWN] = "stage_down",
	[CAUSE_STAGE_HUNG] = "stage_hung",
	[CAUSE_CALL_FAILS] = "call_fails",
	[CAUSE_STUCK] = "stuck",
	[CAUSE_REFUSED] = "refused",
	[CAUSE_UNSUPERVISED] = "unsupervised",
	[CAUSE_NO_DESTINATION] = "no_destination",
};

const char *cause_name(enum cause_kind kind)
{
	return kind < N_CAUSE_KINDS ? names[kind] : "unknown";
}

__attribute__((format(printf, 3, 4))) static void add(struct health *h, enum cause_kind kind, const char *format, ...)
{
	struct cause *c = &h->causes[h->n_causes];
	va_list args;

	if (h->n_causes == MAX_CAUSES)
		return;
	c->kind = kind;
	va_start(args, format);
	vsnprintf(c->text, sizeof(c->text), format, args);
	va_end(args);
	h->n_causes++;
}

static uint64_t since_ns(uint64_t now, uint64_t at_ns)
{
	return now > at_ns ? now - at_ns : 0;
}

static uint64_t since_s(uint64_t now, uint64_t at_ns)
{
	return since_ns(now, at_ns) / NS_PER_S;
}

/* The errno of most of what was refused since the last look. */
static void note_errnos(struct class_health *c, const struct account *a)
{
	uint64_t most_pkts = 0;

	for (int i = 0; i < SEND_ERRNOS; i++) {
		uint64_t new_pkts = a->send_errno_pkts[i] - c->errno_pkts[i];

		if (a->send_errno_pkts[i] > c->errno_pkts[i] && new_pkts > most_pkts) {
			most_pkts = new_pkts;
			c->refused_errno = i + 1 < SEND_ERRNOS ? a->send_errno[i] : 0;
		}
		c->errno_pkts[i] = a->send_errno_pkts[i];
	}
}

static struct class_part part_of(const struct class_view *v, uint32_t shard, uint32_t n_shards)
{
	const struct account *a = &v->account;

	if (n_shards > 1)
		return v->parts[shard];
	return (struct class_part){ a->sent_pkts, account_dropped_pkts(a), a->held_pkts, a->unbalanced_pkts };
}

static void note_parts(struct class_health *c, const struct class_view *v, uint32_t n_shards, uint64_t now,
		       int is_first)
{
	for (uint32_t k = 0; k < n_shards; k++) {
		struct class_part p = part_of(v, k, n_shards);

		if (is_first || p.held_pkts == 0 || p.sent_pkts != c->parts[k].sent_pkts ||
		    p.dropped_pkts != c->parts[k].dropped_pkts)
			c->parts[k].moved_at_ns = now;
		c->parts[k].sent_pkts = p.sent_pkts;
		c->parts[k].dropped_pkts = p.dropped_pkts;
		c->parts[k].held_pkts = p.held_pkts;
	}
}

static void note_class(struct class_health *c, const struct account *a, uint64_t now, int is_first)
{
	uint64_t refused_pkts = a->dropped_pkts[DROP_SEND_ERROR];

	if (is_first || a->sent_pkts != c->sent_pkts)
		c->sent_at_ns = now;
	if (!is_first && refused_pkts > c->refused_pkts)
		c->refused_at_ns = now;
	note_errnos(c, a);
	c->sent_pkts = a->sent_pkts;
	c->refused_pkts = refused_pkts;
}

static void note(struct health *h, const struct view *now)
{
	int is_first = h->created_at_ns != now->created_at_ns || h->n_classes != now->n_classes ||
		       h->n_shards != view_shards(now);

	if (is_first)
		memset(h, 0, sizeof(*h));
	h->created_at_ns = now->created_at_ns;
	h->n_classes = now->n_classes;
	h->n_shards = view_shards(now);
	h->at_ns = now->at_ns;
	if (is_first)
		h->first_at_ns = now->at_ns;
	for (uint32_t i = 0; i < now->n_classes; i++) {
		note_parts(&h->classes[i], &now->classes[i], h->n_shards, now->at_ns, is_first);
		note_class(&h->classes[i], &now->classes[i].account, now->at_ns, is_first);
	}
	for (uint32_t i = 0; i < N_STAGES * h->n_shards; i++) {
		if (strcmp(view_stage(now, i / N_STAGES, i % N_STAGES)->state, "ready") == 0)
			h->not_ready_since_ns[i] = 0;
		else if (!h->not_ready_since_ns[i])
			h->not_ready_since_ns[i] = now->at_ns;
	}
	if (now->is_supervised)
		h->supervised_at_ns = now->at_ns;
}

static void judge_stages(struct health *h, const struct view *now)
{
	for (uint32_t i = 0; i < N_STAGES * h->n_shards; i++)
		if (h->not_ready_since_ns[i] && since_ns(now->at_ns, h->not_ready_since_ns[i]) >= NOT_READY_NS)
			add(h, CAUSE_STAGE_DOWN, "stage %s is %s: run/status.sh says more",
			    view_stage_name(now, i / N_STAGES, i % N_STAGES),
			    view_stage(now, i / N_STAGES, i % N_STAGES)->state);
	for (uint32_t i = 0; i < N_STAGES * h->n_shards; i++) {
		uint64_t age_ns = view_stage(now, i / N_STAGES, i % N_STAGES)->beat_age_ns;

		if (!h->not_ready_since_ns[i] && age_ns >= HUNG_NS)
			add(h, CAUSE_STAGE_HUNG, "stage %s has not moved for %" PRIu64 " s",
			    view_stage_name(now, i / N_STAGES, i % N_STAGES), (uint64_t)(age_ns / NS_PER_S));
	}
	for (uint32_t i = 0; i < N_STAGES * h->n_shards; i++) {
		const struct stage_view *s = view_stage(now, i / N_STAGES, i % N_STAGES);
		const char *name = strerrorname_np((int)s->failing_errno);

		if (!h->not_ready_since_ns[i] && s->failing_ns >= FAILING_NS)
			add(h, CAUSE_CALL_FAILS, "stage %s: a system call has kept failing for %" PRIu64 " s: %s",
			    view_stage_name(now, i / N_STAGES, i % N_STAGES), (uint64_t)(s->failing_ns / NS_PER_S),
			    name ? name : "unknown error");
	}
}

/* The first shard in which the class stands still; -1: none. */
static int stuck_part(const struct health *h, const struct class_health *c, uint64_t now)
{
	for (uint32_t k = 0; k < h->n_shards; k++)
		if (c->parts[k].held_pkts && since_ns(now, c->parts[k].moved_at_ns) >= STUCK_NS)
			return (int)k;
	return -1;
}

static int is_refused(const struct class_health *c, uint64_t now)
{
	return c->refused_at_ns > c->sent_at_ns && since_ns(now, c->refused_at_ns) <= REFUSED_NS &&
	       since_ns(now, c->sent_at_ns) >= REFUSED_LEAST_NS;
}

static void judge_classes(struct health *h, const struct view *now)
{
	for (uint32_t i = 0; i < now->n_classes; i++) {
		const struct class_health *c = &h->classes[i];
		int part = stuck_part(h, c, now->at_ns);
		char where[24] = "";

		if (part >= 0 && h->n_shards > 1)
			snprintf(where, sizeof(where), " in shard %d", part);
		if (part >= 0)
			add(h, CAUSE_STUCK,
			    "class %s has sent nothing%s for %" PRIu64 " s with %" PRIu64 " packets held",
			    now->classes[i].name, where, since_s(now->at_ns, c->parts[part].moved_at_ns),
			    c->parts[part].held_pkts);
	}
	for (uint32_t i = 0; i < now->n_classes; i++)
		if (now->classes[i].n_dests && destinations_n_up(&now->classes[i]) == 0)
			add(h, CAUSE_NO_DESTINATION, "class %s: none of its %u destinations is up",
			    now->classes[i].name, now->classes[i].n_dests);
	for (uint32_t i = 0; i < now->n_classes; i++) {
		const struct class_health *c = &h->classes[i];
		const char *name = strerrorname_np((int)c->refused_errno);

		if (is_refused(c, now->at_ns))
			add(h, CAUSE_REFUSED, "class %s: every packet is refused: %s", now->classes[i].name,
			    c->refused_errno && name ? name : "several errors");
	}
}

void health_note(struct health *h, const struct view *now)
{
	note(h, now);
	h->n_causes = 0;
	for (uint32_t i = 0; i < now->n_classes; i++)
		if (class_unbalanced_pkts(&now->classes[i]))
			add(h, CAUSE_UNBALANCED, "class %s is not balanced: off by %+" PRId64 " packets",
			    now->classes[i].name, class_unbalanced_pkts(&now->classes[i]));
	judge_stages(h, now);
	judge_classes(h, now);
	if (h->supervised_at_ns && since_ns(now->at_ns, h->supervised_at_ns) >= UNSUPERVISED_NS)
		add(h, CAUSE_UNSUPERVISED, "no supervisor: a stage that dies stays down; run/launch.sh starts one");
}

/* Nothing has been sent since the first look: is all of it refused? That shows as soon as there is traffic. */
static int may_be_refused(const struct health *h, const struct class_health *c)
{
	uint64_t watched_ns = h->at_ns - h->first_at_ns;

	if (!c->refused_pkts || c->sent_at_ns > h->first_at_ns)
		return 0;
	return watched_ns < (c->refused_at_ns ? REFUSED_LEAST_NS : REFUSAL_SHOWS_NS);
}

int health_is_undecided(const struct health *h)
{
	uint64_t watched_ns = h->at_ns - h->first_at_ns;

	for (uint32_t i = 0; i < N_STAGES * h->n_shards; i++)
		if (h->not_ready_since_ns[i] && watched_ns < NOT_READY_NS)
			return 1;
	for (uint32_t i = 0; i < h->n_classes; i++) {
		const struct class_health *c = &h->classes[i];

		for (uint32_t k = 0; k < h->n_shards && watched_ns < STUCK_NS; k++)
			if (c->parts[k].held_pkts && c->parts[k].moved_at_ns == h->first_at_ns)
				return 1;
		if (may_be_refused(h, c))
			return 1;
	}
	return 0;
}
