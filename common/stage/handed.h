/*
 * handed.h - the descriptors that a program was started with, by name.
 *
 * Rules:   hold hands them on: LISTEN_FDS says how many there are from descriptor 3 on, and LISTEN_FDNAMES their names,
 *          in order: CLASS.in.0, CLASS.out.0, space, segment, config; then for each class with replies CLASS.poll.0 and
 *          CLASS.via.0*N, which stands for N in a row. Of several shards each has its own sockets and its own `space`:
 *          CLASS.in.0*N are those of all N, in the order of the shards. So a stage needs no name in any file system to
 *          start again.
 * Source:  sd_listen_fds(3): two variables, so no library.
 */
#ifndef ONTIME_STAGE_HANDED_H
#define ONTIME_STAGE_HANDED_H

#include <stddef.h>
#include <stdint.h>

#include "shm/segment.h"

#define LISTEN_FIRST_FD 3
#define SHARD_VARIABLE "ONTIME_SHARD" /* whose stage a process is, from its supervisor; without: the first */

/* handed_shard - the shard of this process; -1: the instance has one, and there is nothing to choose. */
int handed_shard(void);

/* handed_fd - the descriptor of that name, this shard's if each has one; or -1 if none was handed on. */
int handed_fd(const char *name);

/* handed_socket - the i-th socket of a class, e.g. "high.in.0", or -1 if none was handed on. */
int handed_socket(const char *class, const char *direction, uint32_t i);

/* handed_range - the first of the sockets of that sort that a class has in a row, and how many; or -1. */
int handed_range(const char *class, const char *direction, uint32_t *n);

/*
 * handed_entry - the first entry of a list such as LISTEN_FDNAMES, "game.via.0*1024": how many descriptors it is of;
 * *n: the length of the name alone.
 */
uint32_t handed_entry(const char *names, size_t *n);

/* handed_close_others - what was inherited beyond that is somebody else's, but for one (-1: none). */
void handed_close_others(int but_fd);

/*
 * handed_check - are the sockets, those of sessions too, the ones that the segment was made for? Their cookies say so.
 * 0, or after one line: -EBADF if one is another, or why one could not be asked.
 */
int handed_check(const struct segment *seg);

#endif
