/* way.c - which socket a packet leaves by. */
#include "way.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "config/address.h"
#include "config/reply.h"
#include "config/shown.h"
#include "log.h"
#include "shaper.h"
#include "socket_drops.h"
#include "target.h"

#define PEER_KNOWN_NS NS_PER_S /* as long as anything that is known of an output is of use */
#define SEEN_BITS 32 /* of struct lane.unexpected: below them what the socket had counted */

const struct session *sender_session(const struct sender *s, uint32_t class, uint32_t index)
{
	const struct way *w = &s->ways[class];
	uint16_t k = once(s->stage->seg.views[class].arrivals[index].source);

	if (k < w->n_sessions)
		return &w->sessions[k];
	log_error("segment %s: class %s: a packet of session %u, and there are %u: it is damaged; run/stop.sh, then "
		  "run/launch.sh",
		  s->stage->seg.name, s->stage->config.classes[class].name, k, w->n_sessions);
	abort();
}

static uint32_t below(uint32_t i, uint32_t n)
{
	return i < n ? i : 0; /* whatever the segment says */
}

static struct output *session_output(struct sender *s, uint32_t class, uint32_t index)
{
	const struct way *w = &s->ways[class];
	const struct class_config *c = &s->stage->config.classes[class];
	const struct session *session = sender_session(s, class, index);
	uint32_t k = (uint32_t)(session - w->sessions);
	const struct output *common;
	struct output *o = &w->outputs[k];

	const struct address *to = &c->dests[below(once(session->destination), c->n_dests)];

	if (o->session_number == session->number && o->fd > 0) {
		if (w->choice)
			target_aim(w, o, to);
		return o;
	}
	output_take(o, c, to, w->first_fd + (int)k, (int)s->stage->config.gso);
	common = sender_common(s, class, index);
	if (o->gso_below_bytes > common->gso_below_bytes)
		o->gso_below_bytes = common->gso_below_bytes;
	o->session_number = session->number;
	o->seen = shown_is_sender(c) ? &session->client : NULL;
	output_accept_replies(o);
	o->ports = s->stage->seg.views[class].ports;
	if (w->choice) { /* a predecessor may have died before it did */
		o->aims = w->aims - 1;
		target_aim(w, o, to);
	}
	return o;
}

/* Which of the outputs that a class always has; those of its sessions are all like its first, of one family. */
static uint32_t fixed_output(const struct sender *s, uint32_t class, uint32_t index)
{
	const struct way *w = &s->ways[class];

	if (w->forth)
		return below(once(sender_session(s, class, index)->listen), w->forth->n_listen);
	if (w->n_sessions && (w->outputs || w->via))
		return 0;
	if (w->n_sessions)
		return below(once(sender_session(s, class, index)->destination),
			     s->stage->config.classes[class].n_dests);
	if (w->choice)
		return below(choice_of(w->choice, once(s->stage->seg.views[class].arrivals[index].source)),
			     s->stage->config.classes[class].n_dests);
	return once(s->stage->seg.views[class].arrivals[index].source) % s->stage->config.classes[class].n_dests;
}

struct output *sender_output(struct sender *s, uint32_t class, uint32_t index)
{
	struct way *w = &s->ways[class];

	if (w->outputs)
		return session_output(s, class, index);
	return w->via ? &w->all : &s->outputs[class][fixed_output(s, class, index)];
}

struct output *sender_peer(struct sender *s, uint32_t class, uint32_t index, uint64_t now)
{
	struct output *to = sender_output(s, class, index), *o;
	struct way *w = &s->ways[class];
	const struct session *session;

	if (!w->peers)
		return to;
	session = sender_session(s, class, index);
	o = &w->peers[session - w->sessions];
	if (o->session_number != session->number)
		*o = (struct output){ .fd = to->fd,
				      .to = to->to,
				      .options = to->options,
				      .class = to->class,
				      .has_way = 1,
				      .is_peerless = 1,
				      .session_number = session->number };
	w->known_until_ns = now + PEER_KNOWN_NS;
	return o;
}

struct output *sender_known_peer(const struct sender *s, uint32_t class, const struct session *session, uint64_t now)
{
	const struct way *w = &s->ways[class];
	struct output *o = session && w->peers && now < w->known_until_ns ? &w->peers[session - w->sessions] : NULL;

	return o && o->session_number == session->number ? o : NULL;
}

struct output *sender_common(struct sender *s, uint32_t class, uint32_t index)
{
	const struct way *w = &s->ways[class];

	if (w->forth)
		return sender_output(s, class, index);
	return &s->outputs[class][below(once(sender_session(s, class, index)->destination),
					s->stage->config.classes[class].n_dests)];
}

uint32_t sender_overhead_bytes(const struct sender *s, uint32_t class, uint32_t index)
{
	return s->outputs[class][fixed_output(s, class, index)].overhead_bytes;
}

static int make_peers(struct sender *s, uint32_t class)
{
	struct way *w = &s->ways[class];

	w->peers = calloc(w->n_sessions, sizeof(*w->peers));
	if (w->peers)
		return 0;
	log_error("%u sessions of class %s: %s", w->n_sessions, s->stage->config.classes[class].name,
		  log_text_of(ENOMEM));
	return EXIT_TEMPORARY;
}

/* The sockets that replies leave by are the inputs of the other class. */
static int open_back(struct sender *s, uint32_t class)
{
	const struct class_config *forth = s->ways[class].forth;

	for (uint32_t i = 0; i < forth->n_listen; i++) {
		struct output *o = &s->outputs[class][i];
		int fd = handed_socket(forth->name, "in", i);

		if (fd < 0) {
			log_error("no socket '%s.in.%u' was handed on (LISTEN_FDS): start with run/launch.sh",
				  forth->name, i);
			return EXIT_CONFIG;
		}
		output_take(o, &s->stage->config.classes[class], &forth->listen[i], fd, (int)s->stage->config.gso);
		o->is_peerless = 1;
		s->all_outputs[s->n_outputs++] = o;
	}
	return make_peers(s, class);
}

static int open_sessions(struct sender *s, uint32_t class)
{
	struct way *w = &s->ways[class];
	const char *name = s->stage->config.classes[class].name;
	uint32_t n;

	w->first_fd = handed_range(name, "via", &n);
	if (w->first_fd >= 0 && s->stage->config.classes[class].via.bits) {
		w->via = &s->stage->config.classes[class];
		output_take(&w->all, w->via, &w->via->dests[0], w->first_fd, (int)s->stage->config.gso);
		w->all.is_peerless = 1;
		w->unexpected_fd = n > 1 ? w->first_fd + 1 : -1;
		s->all_outputs[s->n_outputs++] = &w->all;
		return make_peers(s, class);
	}
	if (shown_has_port(&s->stage->config.classes[class])) /* answers alone come to that socket */
		return 0;
	if (w->first_fd < 0 || n != w->n_sessions) {
		log_error("no %u sockets '%s.via' were handed on (LISTEN_FDS): start with run/launch.sh", w->n_sessions,
			  name);
		return EXIT_CONFIG;
	}
	w->outputs = calloc(n, sizeof(*w->outputs));
	if (w->outputs)
		return 0;
	log_error("%u sessions of class %s: %s", n, name, log_text_of(ENOMEM));
	return EXIT_TEMPORARY;
}

static int open_fixed(struct sender *s, uint32_t class)
{
	const struct class_config *c = &s->stage->config.classes[class];
	char text[ADDRESS_BYTES];

	for (uint32_t i = 0; i < c->n_dests; i++) {
		int err = output_make(&s->outputs[class][i], c, i, (int)s->stage->config.gso);

		s->all_outputs[s->n_outputs++] = &s->outputs[class][i];
		if (!err)
			continue;
		log_error("open the output of class %s to %s: %s", c->name, address_format(&c->dests[i], text),
			  strerror(-err));
		return EXIT_TEMPORARY;
	}
	return 0;
}

int way_open(struct sender *s, uint32_t class)
{
	int of = reply_forth(&s->stage->config, class), status;
	const struct lane_view *v = &s->stage->seg.views[of < 0 ? (int)class : of];
	struct way *w = &s->ways[class];

	w->n_sessions = v->n_sessions;
	w->sessions = v->sessions;
	if (of >= 0) {
		w->forth = &s->stage->config.classes[of];
		return open_back(s, class);
	}
	status = target_open(s, class);
	if (!status)
		status = open_fixed(s, class); /* with replies too: a look at each tells whether there is a way */
	return status || w->n_sessions == 0 ? status : open_sessions(s, class);
}

void way_forget(struct sender *s)
{
	for (uint32_t class = 0; class < s->stage->config.n_classes; class++)
		for (uint32_t k = 0; s->ways[class].outputs && k < s->ways[class].n_sessions; k++)
			s->ways[class].outputs[k].fd = 0;
}

/*
 * The socket of an output whose drops are answers that nobody asked for, or -1; *at: where they are counted. With `via`
 * the sockets of the destinations send nothing.
 */
static int counted_fd(const struct sender *s, const struct output *o, uint32_t *at)
{
	for (uint32_t class = 0; class < s->stage->config.n_classes; class++)
		if (o == &s->ways[class].all) {
			*at = class * MAX_DESTS;
			return s->ways[class].unexpected_fd;
		}
	*at = (uint32_t)(o - &s->outputs[0][0]);
	return o->is_peerless || s->ways[*at / MAX_DESTS].via ? -1 : o->fd;
}

void way_look(struct sender *s, uint32_t i)
{
	uint32_t at, drops, more;
	int fd = counted_fd(s, s->all_outputs[i], &at);
	_Atomic uint64_t *word;
	uint64_t was;

	if (fd < 0 || socket_drops(fd, &drops))
		return;
	word = &s->stage->seg.views[at / MAX_DESTS].lane->unexpected[at % MAX_DESTS];
	was = atomic_load_explicit(word, memory_order_relaxed); /* relaxed: its own word, for observers */
	more = drops - (uint32_t)was;
	if (more)
		atomic_store_explicit(word, ((was >> SEEN_BITS) + more) << SEEN_BITS | drops, memory_order_relaxed);
}
