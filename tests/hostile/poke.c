/*
 * poke.c - what nobody may believe, or wait for.
 *
 * usage:   poke FILE WORD   write WORD where each stage of a segment says its pid
 *          poke FILE lock   read-lock the file as config.c does, until killed
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/layout.h"

static int lock_for_ever(int fd)
{
	struct flock lock = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

	if (fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return 1;
	puts("locked");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	uint32_t word = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
	int fd = argc > 2 ? open(argv[1], O_RDWR) : -1;

	if (fd < 0) {
		perror(argc > 2 ? argv[1] : "usage: poke FILE WORD");
		return 1;
	}
	if (strcmp(argv[2], "lock") == 0)
		return lock_for_ever(fd);
	for (size_t i = 0; i < N_STAGES; i++) {
		size_t at = offsetof(struct shared, stages) + i * sizeof(struct stage_block) +
			    offsetof(struct stage_block, pid);

		if (pwrite(fd, &word, sizeof(word), (off_t)at) != (ssize_t)sizeof(word)) {
			perror(argv[1]);
			return 1;
		}
	}
	return 0;
}
