/*
 * stub.c - a server of the tests of destinations, which answers as a file says; the file is read anew for each
 * question.
 *
 *   stub names ADDRESS:PORT FILE   DNS: lines "NAME ADDRESS [TTL]"; "NAME fail" is SERVFAIL, "NAME mute" no answer, and
 *   a
 *                                  name that has no line does not exist. "NAME six" has an address of the other family
 *                                  only.
 *   stub text ADDRESS:PORT FILE    TCP: each connection gets the file's content, once it has sent something or ended
 *   stub ping ADDRESS:PORT FILE    UDP: each datagram that is not empty is answered with the file's content
 *
 * Source:  RFC 1035, 4.1.
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/address.h"

#define MOST_BYTES 512
#define HEADER_BYTES 12
#define SERVFAIL 2
#define NXDOMAIN 3
#define TYPE_A 1
#define TYPE_AAAA 28

static size_t read_file(const char *file, char text[MOST_BYTES])
{
	FILE *in = fopen(file, "r");
	size_t n = in ? fread(text, 1, MOST_BYTES - 1, in) : 0;

	if (in)
		fclose(in);
	text[n] = '\0';
	return n;
}

/* "sink.example" of a question; the bytes that it takes, or 0. */
static size_t read_name(const uint8_t *at, size_t len, char name[MOST_BYTES])
{
	size_t n = 0, used = 0;

	while (n < len && at[n] && n + 1 + at[n] < len) {
		used += (size_t)sprintf(name + used, "%s%.*s", used ? "." : "", at[n], (const char *)at + n + 1);
		n += 1 + (size_t)at[n];
	}
	return n < len && at[n] == 0 ? n + 1 : 0;
}

/* What the file says of a name, into words; 0: nothing. */
static int find(const char *file, const char *name, char at[64], uint32_t *ttl)
{
	char text[MOST_BYTES], found[MOST_BYTES];

	read_file(file, text);
	*ttl = 1;
	for (char *rest, *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
		if (sscanf(line, "%511s %63s %u", found, at, ttl) >= 2 && strcasecmp(found, name) == 0)
			return 1;
	return 0;
}

/* The answer in place of the question; its length, or 0: none is given. */
static size_t answer(uint8_t *m, size_t len, const char *file)
{
	char name[MOST_BYTES] = "", at[64];
	size_t end =
		len > HEADER_BYTES ? HEADER_BYTES + read_name(m + HEADER_BYTES, len - HEADER_BYTES, name) + 4 : len;
	uint32_t ttl, type = end <= len ? m[end - 3] : 0, code = 0;
	struct in_addr v4;

	if (end > len || end == HEADER_BYTES + 4)
		return 0;
	memset(m + 6, 0, 6); /* no answers, nothing beside them */
	if (!find(file, name, at, &ttl))
		code = NXDOMAIN;
	else if (strcmp(at, "mute") == 0)
		return 0;
	else if (strcmp(at, "fail") == 0)
		code = SERVFAIL;
	else if (type == TYPE_A && inet_pton(AF_INET, at, &v4) == 1) {
		const uint8_t head[] = {
			0xc0, HEADER_BYTES, 0, TYPE_A, 0, 1, 0, 0, (uint8_t)(ttl >> 8), (uint8_t)ttl, 0, 4
		};

		m[7] = 1;
		memcpy(m + end, head, sizeof(head));
		memcpy(m + end + sizeof(head), &v4, sizeof(v4));
		end += sizeof(head) + sizeof(v4);
	}
	m[2] = 0x84;
	m[3] = (uint8_t)(0x80 | code);
	return end;
}

static void serve_datagrams(int fd, int is_names, const char *file)
{
	for (;;) {
		struct sockaddr_storage from;
		socklen_t from_len = sizeof(from);
		uint8_t m[2 * MOST_BYTES];
		ssize_t n = recvfrom(fd, m, MOST_BYTES, 0, (struct sockaddr *)&from, &from_len);

		if (n <= 0)
			continue;
		n = (ssize_t)(is_names ? answer(m, (size_t)n, file) : read_file(file, (char *)m));
		if (n > 0)
			sendto(fd, m, (size_t)n, 0, (struct sockaddr *)&from, from_len);
	}
}

static void serve_connections(int fd, const char *file)
{
	char text[MOST_BYTES];

	for (;;) {
		int client = accept(fd, NULL, NULL);
		ssize_t n = client < 0 ? -1 : recv(client, text, sizeof(text), 0);

		n = n < 0 ? -1 : (ssize_t)read_file(file, text);
		if (n > 0)
			send(client, text, (size_t)n, MSG_NOSIGNAL);
		if (client >= 0)
			close(client);
	}
}

int main(int argc, char **argv)
{
	int is_stream = argc == 4 && strcmp(argv[1], "text") == 0, on = 1, fd;
	struct address at;

	if (argc != 4 || !address_parse(argv[2], strlen(argv[2]), &at)) {
		fprintf(stderr, "usage: stub names|text|ping ADDRESS:PORT FILE\n");
		return 2;
	}
	fd = socket(at.at.ss_family, is_stream ? SOCK_STREAM : SOCK_DGRAM, 0);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&at.at, at.len) < 0 || (is_stream && listen(fd, 16) < 0)) {
		perror("stub");
		close(fd);
		return 1;
	}
	puts("ready");
	fflush(stdout);
	if (is_stream)
		serve_connections(fd, argv[3]);
	else
		serve_datagrams(fd, strcmp(argv[1], "names") == 0, argv[3]);
	return 0;
}
