/*
 * alive.h - how it is told whether a destination is there: the key `health`.
 *
 * Rules:   pure. Ports of tcp and http are of the destination's address; udp asks at the port that datagrams go to.
 */
#ifndef ONTIME_CONFIG_ALIVE_H
#define ONTIME_CONFIG_ALIVE_H

#include <stdint.h>

#define ALIVE_PATH_BYTES 128 /* of an HTTP request, with the final NUL */
#define ALIVE_BYTES 64 /* of a question, or of how its answer begins */

enum alive_kind {
	ALIVE_OFF, /* each destination is up */
	ALIVE_ICMP, /* down while ICMP says that nobody is there */
	ALIVE_TCP, /* a connection can be made */
	ALIVE_HTTP, /* likewise, and GET is answered with 2xx or 3xx */
	ALIVE_UDP, /* a question is answered as expected */
	ALIVE_QUIET, /* down while its sessions ask and none is answered */
};

struct alive {
	enum alive_kind kind;
	uint16_t port; /* with tcp and http */
	char path[ALIVE_PATH_BYTES]; /* with http: "/path" */
	uint32_t n_ask, n_answer; /* with udp; n_answer 0: any answer will do */
	uint8_t ask[ALIVE_BYTES], answer[ALIVE_BYTES];
	uint64_t quiet_ns; /* with quiet */
};

/* alive_parse - "tcp:8080"; 0, or -EINVAL and reason[REASON_BYTES]. */
int alive_parse(struct alive *a, const char *text, char *reason);

/* alive_format - the same again, into text[VALUE_BYTES]. */
void alive_format(const struct alive *a, char *text);

#endif
