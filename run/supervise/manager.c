/* manager.c - what a service manager is told. */
#include "manager.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stage/notify.h"
#include "units.h"

void manager_init(struct manager *m)
{
	const char *socket = getenv("NOTIFY_SOCKET"), *watchdog = getenv("WATCHDOG_USEC");

	memset(m, 0, sizeof(*m));
	m->is_there = getenv(MANAGER_VARIABLE) != NULL;
	if (m->is_there && socket && strlen(socket) < sizeof(m->socket))
		memcpy(m->socket, socket, strlen(socket) + 1);
	if (m->socket[0] && watchdog)
		snprintf(m->watchdog_us, sizeof(m->watchdog_us), "%s", watchdog);
	manager_unset_environment(); /* of whoever else launched this: it does not wait for the stages */
}

void manager_set_environment(const struct manager *m)
{
	if (m->is_there)
		setenv(MANAGER_VARIABLE, "1", 1);
	if (m->socket[0])
		setenv("NOTIFY_SOCKET", m->socket, 1);
	if (m->watchdog_us[0])
		setenv("WATCHDOG_USEC", m->watchdog_us, 1);
}

void manager_unset_environment(void)
{
	unsetenv(MANAGER_VARIABLE);
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static int tell(const struct manager *m, const char *text)
{
	return m->socket[0] ? notify_send_to(m->socket, text) : 0;
}

static void tell_ready(struct manager *m)
{
	if (m->is_ready && !m->has_told_ready)
		m->has_told_ready = tell(m, "READY=1") == 0;
}

static void tell_status(struct manager *m)
{
	char text[sizeof(m->status) + 8];

	if (strcmp(m->status, m->told_status) == 0)
		return;
	snprintf(text, sizeof(text), "STATUS=%s", m->status);
	if (tell(m, text) == 0)
		memcpy(m->told_status, m->status, sizeof(m->status));
}

void manager_ready(struct manager *m)
{
	m->is_ready = 1;
	tell_ready(m);
}

void manager_reloading(struct manager *m, uint64_t now)
{
	char text[64];

	if (!m->has_told_ready)
		return;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)(now / NS_PER_US));
	if (tell(m, text) == 0)
		m->has_told_ready = m->is_ready = 0;
}

void manager_stopping(struct manager *m)
{
	tell(m, "STOPPING=1");
}

void manager_status(struct manager *m, const char *text)
{
	snprintf(m->status, sizeof(m->status), "%s", text);
	tell_status(m);
}

void manager_keep(struct manager *m)
{
	tell_ready(m);
	tell_status(m);
	if (m->watchdog_us[0])
		tell(m, "WATCHDOG=1");
}
