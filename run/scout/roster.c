/* roster.c - the destinations that a scout looks after, and what it says of them. */
#include "roster.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "config/address.h"
#include "config/cycle.h"
#include "log.h"
#include "names.h"
#include "shm/bell.h"
#include "shm/destination.h"
#include "units.h"

#define FIRST_AGAIN_NS NS_PER_S /* after an answer that failed; doubles up to `resolve` */
#define MOST_DOUBLINGS 16
#define LEAST_TTL_NS NS_PER_S

static struct destination *block_of(const struct roster *r, const struct post *p, uint32_t part)
{
	return &r->parts[part].views[p->class].destinations->all[p->i];
}

/* Egress may wait for a destination, and ingress may have sessions to give another one. */
static void ring(const struct roster *r, uint32_t part)
{
	struct stage_block *stages = r->parts[part].shared->stages;
	uint64_t one = 1;

	bell_ring_hard(&stages[STAGE_EGRESS].parked);
	if (r->space_fds[part] >= 0 && write(r->space_fds[part], &one, sizeof(one)) < 0 && errno != EAGAIN)
		log_warn("wake ingress: %s", log_text_of(errno));
}

static void tell_segment(const struct roster *r, const struct post *p)
{
	for (uint32_t part = 0; part < r->n_parts; part++) {
		destination_write(block_of(r, p, part), &p->state);
		destination_raise(r->parts[part].views[p->class].destinations);
		ring(r, part);
	}
}

static struct address *address_of(struct roster *r, const struct post *p)
{
	return &r->config.classes[p->class].dests[p->i];
}

static const char *text_of(struct roster *r, const struct post *p, char text[DESTINATION_BYTES + ADDRESS_BYTES + 4])
{
	char at[ADDRESS_BYTES];

	address_format(address_of(r, p), at);
	snprintf(text, DESTINATION_BYTES + ADDRESS_BYTES + 4, p->host[0] ? "%s (%s)" : "%s", p->name, at);
	return text;
}

/* Where datagrams of the class go now: said when that has become nowhere, or somewhere again. */
static void tell_class(const struct roster *r, const struct post *about, int is_up)
{
	uint32_t n_up = 0;

	for (uint32_t i = 0; i < r->n_posts; i++)
		if (r->posts[i].class == about->class && &r->posts[i] != about)
			n_up += r->posts[i].state.is == DESTINATION_UP;
	if (n_up > 0)
		return;
	if (is_up)
		log_info("class %s: there is a destination again", roster_class(r, about)->name);
	else
		log_error("class %s: no destination is up: its datagrams wait until their deadline, and are then "
			  "dropped as "
			  "no_destination",
			  roster_class(r, about)->name);
}

static void tell_log(struct roster *r, const struct post *p, const struct destination_state *was, uint64_t now)
{
	char text[DESTINATION_BYTES + ADDRESS_BYTES + 4], why[DESTINATION_TELL_BYTES];
	const char *class = roster_class(r, p)->name;

	text_of(r, p, text);
	if (p->state.is == DESTINATION_DOWN)
		log_warn("class %s: %s is down: %s", class, text, destination_tell(&p->state, why));
	else if (p->state.is == DESTINATION_DRAINED)
		log_info("class %s: %s takes no new senders", class, text);
	else if (was->is == DESTINATION_DOWN)
		log_info("class %s: %s is up again, after %.1f s", class, text,
			 (double)(now - was->since_ns) / (double)NS_PER_S);
	else
		log_info("class %s: %s takes new senders again", class, text);
	if (p->state.is == DESTINATION_UP || was->is == DESTINATION_UP)
		tell_class(r, p, p->state.is == DESTINATION_UP);
}

void roster_judge(struct roster *r, struct post *p, enum destination_is is, enum destination_why why, uint32_t number,
		  uint64_t now)
{
	struct destination_state was = p->state;

	if (is == DESTINATION_UP && destinations_is_drained(roster_class(r, p), p->i))
		is = DESTINATION_DRAINED;
	p->verdict.is_down = is == DESTINATION_DOWN;
	if (was.is == is)
		return;
	p->state.is = is;
	p->state.why = is == DESTINATION_DRAINED ? WHY_ASKED : why;
	p->state.number = number;
	p->state.since_ns = now;
	tell_segment(r, p);
	tell_log(r, p, &was, now);
}

void roster_verdict(struct roster *r, struct post *p, enum destination_why why, uint32_t number, uint64_t now)
{
	const struct class_config *c = roster_class(r, p);

	if (verdict_note(&p->verdict, why == WHY_ANSWERS, c->health_fall, c->health_rise))
		roster_judge(r, p, p->verdict.is_down ? DESTINATION_DOWN : DESTINATION_UP, why, number, now);
}

uint64_t roster_refused(const struct roster *r, const struct post *p)
{
	uint64_t n = 0;

	for (uint32_t part = 0; part < r->n_parts; part++) { /* relaxed: sums for a look that is made again */
		n += atomic_load_explicit(&block_of(r, p, part)->refused_by_egress, memory_order_relaxed);
		n += atomic_load_explicit(&block_of(r, p, part)->refused_by_ingress, memory_order_relaxed);
	}
	return n;
}

/* The address of an answer, with the destination's port. 1: a destination may have it. */
static int is_usable(struct roster *r, const struct post *p, const struct sockaddr_in6 *found, struct address *a)
{
	const struct address *now = address_of(r, p);
	static struct config tried;
	struct loop_found loop;
	struct sockaddr_in6 at;

	*a = *now;
	memcpy(&at, &now->at, sizeof(at));
	if (found->sin6_family != at.sin6_family)
		return 0;
	if (found->sin6_family == AF_INET)
		((struct sockaddr_in *)&at)->sin_addr = ((const struct sockaddr_in *)found)->sin_addr;
	else
		at.sin6_addr = found->sin6_addr;
	memcpy(&a->at, &at, sizeof(at));
	if (address_traits(a) &
	    (ADDRESS_IS_WILDCARD | ADDRESS_IS_GROUP | ADDRESS_IS_BROADCAST | ADDRESS_IS_MAPPED | ADDRESS_LACKS_SCOPE))
		return 0;
	tried = r->config;
	tried.classes[p->class].dests[p->i] = *a;
	return !loop_find(&tried, NULL, 0, &loop);
}

static uint64_t again_ns(const struct post *p, uint64_t most_ns)
{
	uint64_t ns = FIRST_AGAIN_NS << (p->n_failures < MOST_DOUBLINGS ? p->n_failures : MOST_DOUBLINGS);

	return ns < most_ns ? ns : most_ns;
}

static void answer_fails(struct roster *r, struct post *p, const char *why, uint64_t now)
{
	char at[ADDRESS_BYTES];

	if (p->n_failures++ == 0)
		log_warn("class %s: %s cannot be resolved: %s: its datagrams go to %s, as before",
			 roster_class(r, p)->name, p->name, why, address_format(address_of(r, p), at));
	p->ask_due_ns = now + again_ns(p, roster_class(r, p)->resolve_ns);
}

static void move(struct roster *r, struct post *p, const struct address *a, uint64_t now)
{
	char was[ADDRESS_BYTES], is[ADDRESS_BYTES];

	address_format(address_of(r, p), was);
	*address_of(r, p) = *a;
	memcpy(&p->state.address, &a->at, sizeof(p->state.address));
	p->state.n_moves++;
	p->verdict.row = 0;
	if (p->look.fd >= 0)
		look_end(&p->look); /* it is about the address before */
	p->look_due_ns = now;
	tell_segment(r, p);
	log_info("class %s: %s is at %s now, no longer at %s", roster_class(r, p)->name, p->name, address_format(a, is),
		 was);
}

void roster_answer(struct roster *r, struct post *p, const struct names_answer *a, uint64_t now)
{
	uint64_t ttl_ns = a->ttl_s * NS_PER_S, wait_ns = roster_class(r, p)->resolve_ns;
	struct address first = { 0 }, one;

	p->is_asked = 0;
	if (a->failure) {
		answer_fails(r, p, a->failure, now);
		return;
	}
	for (uint32_t i = 0; i < a->n; i++) {
		if (!is_usable(r, p, &a->found[i], &one))
			continue;
		if (first.len == 0)
			first = one;
		if (address_is_same_host(&one.at, &address_of(r, p)->at))
			first = one;
	}
	if (first.len == 0) {
		answer_fails(r, p, "no destination can have the address that was given for it", now);
		return;
	}
	if (p->n_failures)
		log_info("class %s: %s is resolved again", roster_class(r, p)->name, p->name);
	p->n_failures = 0;
	ttl_ns = ttl_ns < LEAST_TTL_NS ? LEAST_TTL_NS : ttl_ns;
	p->ask_due_ns = now + (ttl_ns < wait_ns ? ttl_ns : wait_ns);
	if (!address_is_same_host(&first.at, &address_of(r, p)->at))
		move(r, p, &first, now);
}

/* What was known before, if it is about that destination; else that nothing is. */
static void begin(struct roster *r, struct post *p, uint64_t now)
{
	const struct class_config *c = roster_class(r, p);
	struct address *a = address_of(r, p);
	struct destination_state fresh = { .since_ns = now, .is = DESTINATION_UP, .why = WHY_FIRST };
	struct sockaddr_in6 at;
	int is_known = destination_read(block_of(r, p, 0), &p->state);

	memcpy(&at, &a->at, sizeof(at));
	if (is_known && (p->state.address.sin6_family != at.sin6_family || p->state.address.sin6_port != at.sin6_port))
		is_known = 0;
	if (!is_known)
		p->state = fresh;
	if (is_known && c->resolve_ns && p->host[0])
		memcpy(&a->at, &p->state.address, a->len);
	memset(&p->state.address, 0, sizeof(p->state.address));
	memcpy(&p->state.address, &a->at, a->len < sizeof(at) ? a->len : sizeof(at));
	memset(p->state.name, 0, sizeof(p->state.name));
	memcpy(p->state.name, p->name, strnlen(p->name, DESTINATION_NAME_BYTES - 1));
	p->verdict = (struct verdict){ .is_down = p->state.is == DESTINATION_DOWN, .is_known = (uint32_t)is_known };
	tell_segment(r, p);
	p->refused = roster_refused(r, p);
	if (c->alive.kind == ALIVE_OFF || p->state.is != DESTINATION_DOWN)
		roster_judge(r, p, DESTINATION_UP, WHY_ANSWERS, 0, now);
}

static void add(struct roster *r, uint32_t class, uint32_t i, uint64_t now)
{
	const struct class_config *c = &r->config.classes[class];
	struct post *p = &r->posts[r->n_posts++];

	*p = (struct post){ .class = class, .i = i, .look.fd = -1 };
	destinations_name(c, i, p->name);
	if (c->dests[i].host)
		memcpy(p->host, p->name, (size_t)(strrchr(p->name, ':') - p->name)); /* zeroed above */
	p->look_due_ns = c->alive.kind == ALIVE_OFF ? UINT64_MAX : now + i * (c->health_every_ns / c->n_dests);
	p->ask_due_ns = c->resolve_ns && p->host[0] ? now : UINT64_MAX;
	begin(r, p, now);
}

void roster_release(struct roster *r, const struct config *fresh, uint64_t now)
{
	for (uint32_t i = 0; i < r->n_posts; i++) {
		struct post *p = &r->posts[i];

		if (p->class >= fresh->n_classes || destinations_are_scouted(&fresh->classes[p->class]))
			continue;
		r->config.classes[p->class].drain[0] = '\0';
		roster_judge(r, p, DESTINATION_UP, WHY_ANSWERS, 0, now);
	}
}

void roster_fill(struct roster *r, uint64_t now)
{
	for (uint32_t i = 0; i < r->n_posts; i++)
		look_end(&r->posts[i].look);
	names_forget();
	r->n_posts = 0;
	for (uint32_t class = 0; class < r->config.n_classes; class++)
		for (uint32_t i = 0;
		     destinations_are_scouted(&r->config.classes[class]) && i < r->config.classes[class].n_dests; i++)
			add(r, class, i, now);
}
