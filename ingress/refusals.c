/* refusals.c - what ICMP tells of datagrams that left by a socket that is read. */
#include "refusals.h"

#include "stage/icmp.h"

static int is_sent_by(const struct receiver *r, uint32_t class)
{
	return r->back[class] || r->forth[class];
}

void refusals_note(struct receiver *r, uint32_t class, uint32_t n)
{
	uint32_t of;

	if (n == 0 || !is_sent_by(r, class))
		return;
	of = r->back[class] ? r->back[class]->forth : r->forth[class]->back;
	r->tally[of].refused_events += n;
	receive_publish(r, of, 0);
}

/* The call has taken the failure out of the socket, but not the error out of its queue. */
int refusals_explain(struct receiver *r, uint32_t class, int fd, int err)
{
	if (!icmp_is_told(err) || !is_sent_by(r, class))
		return 0;
	refusals_note(r, class, icmp_take(fd));
	return 1;
}

void refusals_take(struct receiver *r, const struct ingress *in, int flow)
{
	const struct sessions *x = r->back[in->class_of[flow]];
	uint32_t n = icmp_take_all(r->fd[flow]);

	if (x && x->second_fd >= 0)
		n += icmp_take_all(x->second_fd);
	refusals_note(r, in->class_of[flow], n);
}
