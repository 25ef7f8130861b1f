/*
 * http.c - any bytes as what a client of the dashboard sends, in one piece or several: it gets answers with a status
 * that the server gives, or the end of the connection, and the server goes on.
 */
#include "dash/http.h"

#include <sys/socket.h>
#include <sys/un.h>

#include "input.h"

#define MOST_RUNS 8

static struct server server;
static struct sockaddr_un at;
static socklen_t at_len;

/* On a socket of the kernel's choosing; the instance that it shows does not run. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	(void)argc, (void)argv;
	at.sun_family = AF_UNIX;
	must(bind(fd, (const struct sockaddr *)&at, sizeof(sa_family_t)) == 0 && listen(fd, 16) == 0);
	at_len = sizeof(at);
	must(getsockname(fd, (struct sockaddr *)&at, &at_len) == 0);
	server.allowed[server.n_allowed++] = "dash.example";
	must(sites_open(&server.sites, "fuzz") == 0);
	sites_look(&server.sites);
	must(server_start(&server, fd, 1) == 0);
	return 0;
}

static void run_server(int client)
{
	char answer[4096];
	ssize_t n = 1;

	for (int i = 0; i < MOST_RUNS && n != 0; i++) {
		server_run(&server);
		n = recv(client, answer, sizeof(answer), MSG_DONTWAIT);
	}
}

static int is_known(const char *answer)
{
	static const char *const known[] = { "200", "204", "400", "403", "404", "405", "408", "411",
					     "413", "414", "417", "431", "500", "501", "503", "505" };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(answer, known[i], 3) == 0)
			return 1;
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	size_t first = size ? 1 + data[0] % size : 0; /* in two pieces */
	char answer[16] = "";
	uint32_t peers;

	must(client >= 0 && connect(client, (const struct sockaddr *)&at, at_len) == 0);
	send(client, data, first, MSG_NOSIGNAL);
	server_run(&server);
	server_run(&server);
	send(client, data + first, size - first, MSG_NOSIGNAL);
	server_run(&server);
	server_run(&server);
	if (recv(client, answer, sizeof(answer) - 1, 0) > 0)
		must(strncmp(answer, "HTTP/1.", 7) == 0 && answer[8] == ' ' && is_known(answer + 9));
	run_server(client);
	server_tick(&server);
	close(client);
	peers = server.n_peers;
	for (int i = 0; i < MOST_RUNS && server.n_peers; i++)
		server_run(&server);
	must(server.n_peers <= peers && server.n_peers < server.max_peers);
	return 0;
}
