/*
 * notify.h - what a service manager is told.
 *
 * Source:  sd_notify(3): one datagram to the socket that NOTIFY_SOCKET names, so no library.
 */
#ifndef ONTIME_STAGE_NOTIFY_H
#define ONTIME_STAGE_NOTIFY_H

/*
 * notify_send - a line such as READY=1. Without NOTIFY_SOCKET nothing happens. 0, or -errno: what waits for that line
 * must be sent it again.
 */
int notify_send(const char *text);

/* notify_send_to - likewise, to that socket. */
int notify_send_to(const char *path, const char *text);

/* notify_send_fd - as notify_send(), with a descriptor that it is to keep, or to close when it has read this. */
int notify_send_fd(const char *text, int handed);

#endif
