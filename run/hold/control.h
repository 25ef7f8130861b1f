/*
 * control.h - what both ends of an instance's control socket agree on: `control` in its run directory.
 *
 * Rules:   SOCK_SEQPACKET; one request in one message, one answer in one message, then the connection is closed. A
 *          request is a word or two of text: status; restart [STAGE]; reload [FILE]; stop; adopt. An answer is an exit
 *          status as a decimal number, and lines for people.
 *          The supervisor answers its user and root only, but `status`, which it answers whoever can connect.
 *          Where the run directory is another user's by now, or gone for good, the socket has a name that the kernel
 *          chooses, in no file system: stages[0].control_name of the segment, which only the instance's user can read.
 *          0: done; 1: not, it may later; 2: refused, nothing was changed; 3: a reload that needs a relaunch.
 * Source:  unix(7), SO_PEERCRED.
 */
#ifndef ONTIME_HOLD_CONTROL_H
#define ONTIME_HOLD_CONTROL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "config/ids.h"

#define CONTROL_NAME "control"
#define CONTROL_REQUEST_BYTES (PATH_BYTES + 64)
#define CONTROL_ANSWER_BYTES 12288

#define CONTROL_DONE 0
#define CONTROL_FAILED 1
#define CONTROL_REFUSED 2
#define CONTROL_RELAUNCH 3

#define CONTROL_NAMELESS_BYTES 5 /* of the name that the kernel chooses; unix(7), autobind */

/* control_address - of a nameless one. Returns its length. */
static inline socklen_t control_address(struct sockaddr_un *at, uint64_t name)
{
	memset(at, 0, sizeof(*at));
	at->sun_family = AF_UNIX;
	memcpy(at->sun_path + 1, &name, CONTROL_NAMELESS_BYTES);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + CONTROL_NAMELESS_BYTES);
}

#endif
