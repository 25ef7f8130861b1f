/* strays.c - which class a source's datagrams are really for. */
#include "strays.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "config/port.h"
#include "log.h"
#include "look/number.h"

struct sample {
	const struct config *config;
	uint32_t class; /* that it is made for */
	struct match_datagram datagram;
	struct sockaddr_storage from;
	uint8_t payload[MAX_LOAD_BYTES];
};

static void take_source(struct sample *s, int fd)
{
	const struct match *m = &s->config->classes[s->class].match;
	socklen_t len = sizeof(s->from);
	bool only;
	int dscp = match_dscp(m, &only);

	memset(&s->from, 0, sizeof(s->from));
	getsockname(fd, (struct sockaddr *)&s->from, &len);
	s->datagram.is_v6 = s->from.ss_family == AF_INET6;
	s->datagram.source = s->datagram.is_v6 ? (const uint8_t *)&((const struct sockaddr_in6 *)&s->from)->sin6_addr
					       : (const uint8_t *)&((const struct sockaddr_in *)&s->from)->sin_addr;
	s->datagram.tos = (uint8_t)(dscp < 0 ? 0 : dscp << 2);
	s->datagram.payload = s->payload;
}

static uint32_t lands_in(const struct sample *s, const struct port *port)
{
	for (uint32_t i = port->n; i-- > 1;)
		if (match_eval(&s->config->classes[port->members[i].class].match, &s->datagram))
			return port->members[i].class;
	return port->members[0].class;
}

/* What the i-th datagram of the flow will be. */
static void fill(struct sample *s, const struct load *l, const struct flow *f, uint64_t i)
{
	uint32_t bytes = packet_bytes(&f->sizes, i);

	if (l->options->trace)
		bytes = l->trace.packets[i].bytes;
	s->datagram.len_bytes = bytes;
	packet_fill_stream(s->payload, bytes, 1u << STREAM_RUN_SHIFT | s->class, i, i * NS_PER_MS);
}

static void tell(const struct sample *s, uint32_t other, uint32_t n, uint32_t of)
{
	const struct class_config *own = &s->config->classes[s->class], *has = &s->config->classes[other];
	char text[MATCH_BYTES], few[GROUPED_BYTES], all[GROUPED_BYTES];

	number_grouped(n, few);
	number_grouped(of, all);
	if (has->match.n)
		log_warn("class %s: of %s datagrams as they are made here %s are class %s's by its rule (match = %s): "
			 "they "
			 "go its way, and do not come back as %s's; choose --size, or name the other classes in --rate",
			 own->name, all, few, has->name, match_format(&has->match, text), own->name);
	else
		log_warn("class %s: of %s datagrams as they are made here %s are named by no rule, and class %s's",
			 own->name, all, few, has->name);
}

static void judge(const struct load *l, uint32_t flow)
{
	static struct sample s;
	const struct flow *f = &l->flows[flow];
	const struct class_config *class;
	uint32_t strays[MAX_CLASSES] = { 0 }, n = 0;
	size_t most = l->options->trace ? l->trace.n : STRAYS_SAMPLE;

	s.config = l->config;
	s.class = l->class_of[flow];
	class = &s.config->classes[s.class];
	for (size_t i = 0; i < most && n < STRAYS_SAMPLE; i++) {
		uint32_t source = (uint32_t)(i % f->n_out);
		struct port port;

		if (l->options->trace && l->trace.packets[i].class != s.class)
			continue;
		port_of(s.config, &class->listen[source % class->n_listen], &port);
		take_source(&s, f->out_fd[source]);
		fill(&s, l, f, i);
		strays[lands_in(&s, &port)]++;
		n++;
	}
	for (uint32_t other = 0; other < s.config->n_classes; other++)
		if (other != s.class && strays[other])
			tell(&s, other, strays[other], n);
}

void strays_tell(const struct load *l)
{
	for (uint32_t i = 0; i < l->n_flows; i++)
		if (l->flows[i].n_out)
			judge(l, i);
}
