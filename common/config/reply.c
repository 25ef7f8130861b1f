/* reply.c - which class the replies of a class go back as. */
#include "reply.h"

#include <string.h>

#include "shown.h"

int reply_back(const struct config *c, uint32_t class)
{
	const char *name = c->classes[class].replies;

	for (uint32_t i = 0; name[0] && i < c->n_classes; i++)
		if (strcmp(c->classes[i].name, name) == 0)
			return (int)i;
	return -1;
}

int reply_forth(const struct config *c, uint32_t class)
{
	for (uint32_t i = 0; i < c->n_classes; i++)
		if (c->classes[i].replies[0] && strcmp(c->classes[i].replies, c->classes[class].name) == 0)
			return (int)i;
	return -1;
}

uint32_t reply_sessions(const struct config *c, uint32_t class)
{
	return reply_back(c, class) < 0 ? 0 : c->classes[class].sessions;
}

bool reply_has_one_socket(const struct class_config *c)
{
	return c->via.bits || shown_has_port(c);
}

uint32_t reply_sockets(const struct config *c, uint32_t class)
{
	uint32_t n = reply_sessions(c, class);

	if (n && c->classes[class].via.bits)
		return 2;
	return n && reply_has_one_socket(&c->classes[class]) ? 1 : n;
}
