/* receive.c - recvmmsg into slots. */
#include "receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "drops.h"
#include "log.h"
#include "mutant.h"
#include "publish.h"
#include "refusals.h"
#include "shm/journal.h"
#include "train.h"

/* What was read of the class and waits for room; NULL: nothing. */
static struct batch *waiting_of(const struct receiver *r, uint32_t class)
{
	for (int i = 0; i < N_BATCHES; i++)
		if (batch_waits(&r->batches[i]) && r->batches[i].class == class)
			return (struct batch *)&r->batches[i];
	return NULL;
}

/* The one that the next call is for; NULL: both wait. */
static struct batch *free_batch(const struct receiver *r)
{
	for (int i = 0; i < N_BATCHES; i++)
		if (!batch_waits(&r->batches[i]))
			return (struct batch *)&r->batches[i];
	return NULL;
}

uint64_t receive_waiting(const struct receiver *r)
{
	uint64_t flows = 0;

	for (int i = 0; i < N_BATCHES; i++)
		if (batch_waits(&r->batches[i]))
			flows |= 1ULL << r->batches[i].flow;
	return flows;
}

uint32_t receive_room_pkts(const struct receiver *r, uint32_t class)
{
	const struct lane_view *v = &r->stage->seg.views[class];
	uint64_t room;

	if (waiting_of(r, class))
		return publish_most_pkts(r, class);
	if (!free_batch(r))
		return 0;
	if (r->stage->config.full == FULL_WAIT)
		return train_room_pkts(r, class, publish_most_pkts(r, class));
	room = v->slots - lane_distance_pkts(r->word[class], lane_sent(v->lane));
	stage_check_counts(r->stage, class, room);
	return (uint32_t)room;
}

static uint64_t *drained_at(struct receiver *r, const struct ingress *in, int flow)
{
	uint32_t class = in->class_of[flow];

	if (r->fair[flow])
		return &r->fair[flow]->drained_at_ns[r->session];
	return r->back[class] && !receive_is_one_socket(r, class) ? &r->back[class]->drained_at_ns[r->session]
								  : &r->drained_at_ns[flow];
}

static int socket_of(const struct receiver *r, uint32_t class, int flow)
{
	const struct sessions *x = receive_is_one_socket(r, class) ? NULL : r->back[class];

	if (r->fair[flow])
		return r->fair[flow]->first_fd + (int)r->session;
	return x ? x->first_fd + (int)r->session : r->fd[flow];
}

static int wants_source(const struct receiver *r, uint32_t class)
{
	return r->stage->config.classes[class].n_dests > 1 || r->stage->config.classes[class].fair ||
	       r->stage->config.evict == EVICT_SOURCE || r->forth[class] || receive_is_one_socket(r, class) ||
	       r->stage->seg.views[class].origins || r->quota[class].sources;
}

static void prepare_vector(struct receiver *r, struct batch *b, uint32_t n, enum train_shape shape)
{
	struct ingress_journal *j = b->journal;
	int named = wants_source(r, b->class);

	if (!r->stage->seg.locked)
		/* a fault in the kernel's copy of the sender's address would lose the datagram too */
		segment_touch(j, sizeof(*j));
	if (shape != SHAPE_PLAIN)
		train_touch(r, b, n);
	for (uint32_t i = 0; i < n; i++)
		j->msgs[i].msg_hdr = (struct msghdr){
			.msg_name = named ? &j->names[i] : NULL,
			.msg_namelen = named ? sizeof(j->names[i]) : 0,
			.msg_control = j->control[i],
			.msg_controllen = RECEIVE_CONTROL_BYTES,
		};
	train_aim(r, b, n, shape);
	j->is_whole = r->stage->config.full == FULL_DROP;
}

/* What may pass is tried again, after a pause that keeps it from spinning; what cannot is a damaged process. */
static void note_result(struct receiver *r, const struct ingress *in, int flow, int err)
{
	if (err == EBADF || err == ENOTSOCK || err == EFAULT || err == EINVAL) {
		log_error("recvmmsg on socket %s.in.%u: %s", r->stage->config.classes[in->class_of[flow]].name,
			  in->listen_of[flow], strerror(err));
		abort();
	}
	if (err)
		stage_call_failed(r->stage, "recvmmsg", err);
	else
		stage_call_works(r->stage, "recvmmsg");
}

/* Read at most n messages into a batch. Returns messages, or -1 and errno. */
static int read_batch(struct receiver *r, const struct ingress *in, int flow, struct batch *b, uint32_t n)
{
	uint32_t class = in->class_of[flow];
	enum train_shape shape = train_shape(r, flow, b, &n);
	uint64_t began_at_ns = now_ns();
	int got, err;

	b->class = class;
	b->flow = flow;
	b->session = r->session;
	prepare_vector(r, b, n, shape);
	b->journal->session = r->session;
	journal_open(&b->journal->word, b->journal->msgs, (uint32_t)flow, n, r->word[class]);
	got = recvmmsg(socket_of(r, class, flow), b->journal->msgs, n, MSG_DONTWAIT | MSG_TRUNC, NULL);
	err = got < 0 ? errno : 0;
	if (got > 0) {
		b->clocks = clocks_read(*drained_at(r, in, flow));
		batch_begin(b, (uint32_t)got, shape == SHAPE_PLAIN);
		train_learn(r, b);
	}
	b->emptied = got < (int)n;
	if (got < 0 ? err == EAGAIN : b->emptied) /* after another failure there may be more */
		*drained_at(r, in, flow) = began_at_ns;
	if (got <= 0)
		journal_close(&b->journal->word);
	errno = err;
	return got;
}

uint32_t receive_batch(struct receiver *r, const struct ingress *in, int flow, uint32_t n, uint32_t *bytes)
{
	uint32_t class = in->class_of[flow], pkts = 0;
	struct batch *b = waiting_of(r, class);
	int got, err;

	*bytes = 0;
	if (b) {
		r->came_in_trains = batch_has_trains(b);
		pkts = publish_batch(r, in, b, bytes);
		r->emptied = !batch_waits(b) && b->emptied && b->flow == flow;
		return pkts;
	}
	b = free_batch(r);
	got = read_batch(r, in, flow, b, n < BATCH ? n : BATCH);
	err = got < 0 ? errno : 0;
	r->came_in_trains = got > 0 && batch_has_trains(b);
	if (got > 0)
		pkts = publish_batch(r, in, b, bytes);
	r->emptied = b->emptied && !batch_waits(b);
	/* of what left before: the call has taken it out of the socket, if not of its queue */
	if (refusals_explain(r, class, socket_of(r, class, flow), err))
		err = 0;
	note_result(r, in, flow, err == EAGAIN ? 0 : err);
	return pkts;
}

int receive_is_due(struct receiver *r, const struct ingress *in, int flow)
{
	struct sessions *x = r->back[in->class_of[flow]];
	struct fair *f = r->fair[flow];
	int k;

	if (f) {
		k = fair_next(f);
		refusals_note(r, in->class_of[flow], f->refusals);
		f->refusals = 0;
		r->session = f->bucket;
		return k;
	}
	k = x && !x->has_one_socket ? sessions_next(x) : 0;
	if (x && !x->has_one_socket) {
		refusals_note(r, in->class_of[flow], x->refusals);
		x->refusals = 0;
	}
	r->session = k < 0 ? 0 : (uint32_t)k;
	return k >= 0;
}

int receive_drained(struct receiver *r, const struct ingress *in, int flow, int emptied)
{
	struct sessions *x = r->back[in->class_of[flow]];

	if (r->fair[flow])
		return r->fair[flow]->ready == 0;
	return x && !x->has_one_socket ? sessions_read(x, emptied) : emptied;
}

/* Whose socket the predecessor read, on a way back; with `fair` which bucket. */
static int find_session(struct receiver *r, const struct ingress *in, struct batch *b, uint32_t flow)
{
	const struct sessions *x = r->back[in->class_of[flow]];

	const struct class_config *class = &r->stage->config.classes[in->class_of[flow]];

	b->session = r->session = (uint32_t)once(b->journal->session);
	if (class->fair && flow < in->n_inputs)
		return r->session < class->fair;
	return !x || r->session < x->n;
}

/* What the predecessor published of a call that started from the count in the journal word; all of it: UINT32_MAX. */
static uint32_t published_pkts(const struct receiver *r, const struct batch *b, uint64_t journal_word)
{
	uint64_t n = journal_passed(journal_word, r->word[b->class]);

	if (b->is_whole)
		n = journal_is_open(journal_word, r->word[b->class]) ? 0 : UINT32_MAX;
	return n < b->n_pkts ? (uint32_t)n : UINT32_MAX;
}

static void resume(struct receiver *r, const struct ingress *in, struct batch *b, uint32_t done_pkts)
{
	uint64_t sent = lane_sent(r->stage->seg.views[b->class].lane);
	uint32_t bytes, n;

	batch_skip(b, done_pkts);
	if (!batch_has_trains(b)) /* they lie in the slots behind the count */
		stage_check_counts(r->stage, b->class,
				   lane_distance_pkts(r->word[b->class], sent) + b->n_pkts - done_pkts);
	b->clocks = clocks_read(0);
	b->emptied = 0;
	n = publish_batch(r, in, b, &bytes);
	/* relaxed: for observers */
	atomic_fetch_add_explicit(&r->stage->self->rescued_pkts, n, memory_order_relaxed);
}

static void recover(struct receiver *r, const struct ingress *in, struct batch *b)
{
	uint64_t word = journal_read(&b->journal->word);
	uint32_t flow = journal_owner(word), done, done_pkts;

	r->journal = b->journal;
	if (word == 0 || flow >= in->n_flows || !find_session(r, in, b, flow) || mutant_is("no-recovery"))
		return journal_close(&b->journal->word);
	b->flow = (int)flow;
	b->class = in->class_of[flow];
	done = journal_count_done(b->journal->msgs, journal_messages(word));
	if (done == 0)
		return journal_close(&b->journal->word);
	batch_begin(b, done, 0);
	if (mutant_is("no-aim"))
		b->aim.pieces = 1;
	done_pkts = published_pkts(r, b, word);
	if (done_pkts != UINT32_MAX)
		return resume(r, in, b, done_pkts);
	b->n_pkts = b->done_pkts = 0;
	journal_close(&b->journal->word);
}

static void open_batches(struct receiver *r)
{
	struct shared *shared = r->stage->seg.shared;
	struct scratch *scratch = r->stage->seg.scratch;

	r->batches[0].journal = &shared->ingress_journal;
	r->batches[1].journal = &shared->ingress_journal_aside;
	if (scratch) {
		r->batches[0].most_trains = BATCH;
		r->batches[1].most_trains = ASIDE_MESSAGES;
		r->batches[0].scratch = scratch->message;
		r->batches[1].scratch = scratch->message + BATCH;
	}
	for (int i = 0; i < N_BATCHES; i++)
		segment_touch(r->batches[i].journal, sizeof(*r->batches[i].journal));
}

static int open_ways_back(struct receiver *r, struct stage *s)
{
	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		struct sessions *x = &r->sessions[r->n_ways_back];
		int status;

		if (s->seg.views[class].n_sessions == 0)
			continue;
		status = sessions_open(x, s, class);
		if (status)
			return status;
		r->forth[class] = r->back[x->back] = x;
		r->n_ways_back++;
	}
	return 0;
}

void receive_apply(struct receiver *r)
{
	for (uint32_t class = 0; class < r->stage->config.n_classes; class++) {
		struct guard *guard = r->stage->seg.views[class].guard;

		quota_begin(&r->quota[class], &r->stage->config.classes[class], guard ? guard->sources : NULL,
			    r->stage->seg.header.seed);
	}
}

int receive_init(struct receiver *r, struct stage *s, const struct ingress *in)
{
	int status;

	memset(r, 0, sizeof(*r));
	r->stage = s;
	open_batches(r);
	sessions_count_stray(s);
	status = open_ways_back(r, s);
	if (status)
		return status;
	for (uint32_t class = 0; class < s->config.n_classes; class++) {
		struct lane *l = s->seg.views[class].lane;

		lane_read_bank(&l->received, l->ingress[0], &r->tally[class], TALLY_WORDS(r->tally[class]),
			       &r->word[class]);
		drops_keep(r, class);
	}
	receive_apply(r);
	for (uint32_t class = 0; class < s->config.n_classes; class++)
		if (r->quota[class].sources)
			quota_undo(&r->quota[class], r->word[class]);
	for (int i = 0; i < N_BATCHES; i++)
		recover(r, in, &r->batches[i]);
	return 0;
}
