/* sessions_port.c - the port that a session has towards its destination: given up, had again, or fixed. */
#include "config/address.h"
#include "config/from.h"
#include "config/shown.h"
#include "sessions.h"
#include "stage/answers.h"
#include "stage/session_port.h"

/* A fixed port stays: there the filter keeps out what comes. */
void sessions_give_up_port(const struct sessions *x, uint32_t k)
{
	int fd = x->first_fd + (int)k;

	if (x->stage->config.classes[x->forth].n_from)
		answers_refuse(fd);
	session_port_drop(fd);
}

/*
 * Without a way now it stays unconnected, and without a port, which would take datagrams from anybody: egress connects
 * it when there is a way, and counts until then.
 */
void sessions_connect(struct sessions *x, uint32_t k, uint64_t now)
{
	const struct class_config *c = &x->stage->config.classes[x->forth];
	const struct address *to = &c->dests[x->all[k].destination];
	struct sockaddr_storage at;
	int fd = x->first_fd + (int)k;

	if (address_resolve(to, &at) || from_bind(fd, c, at.ss_family))
		return;
	if (shown_is_sender(c) && shown_bind(fd, &x->all[k].client))
		return;
	if (session_port_connect(c->n_from ? NULL : x->ports, fd, &at, to->len, now))
		sessions_give_up_port(x, k);
	else if (c->n_from)
		answers_accept(fd);
}

/* Egress may have connected the socket again since it was made: its port is what the kernel says. */
void sessions_give_up(struct sessions *x, uint32_t k, uint64_t now)
{
	if (x->stage->config.classes[x->forth].n_from)
		sessions_give_up_port(x, k);
	else
		session_port_give_up(x->ports->ended_s, x->first_fd + (int)k, now);
}
