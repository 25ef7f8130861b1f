/*
 * file.h - where the blocks go: a file that only its owner reads, a row of them, or a pipe.
 *
 * Memory:  a buffer of whole blocks, handed to the kernel in one call: between two calls a reader sees whole blocks.
 * Rules:   a file that is there already is replaced, if it is an ordinary one; a symbolic link is refused. Mode 0600,
 *          since it holds the payload of others. A write that fails takes back the part of a block that it has written.
 *          Each block of a packet is written, or given to unwritten(): none is forgotten.
 *          A pipe whose reader does not read holds this program up and nobody else; it ends all the same when it is
 *          asked to.
 * Errors:  -errno, without a line; FILE_FULL: the size that was asked for is reached.
 */
#ifndef ONTIME_TAPE_FILE_H
#define ONTIME_TAPE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "block.h"

#define FILE_FULL 1
#define FILE_INTERFACES 64

struct tape_file {
	const char *path; /* "-": standard output */
	int fd, is_regular;
	uint64_t most_bytes; /* of one file; 0: as many as come */
	uint32_t n_files; /* when one is full: go on with a new one, and keep that many; 1: end */
	uint64_t written_bytes; /* of this file, with those in the buffer */
	uint64_t kept_free_bytes; /* of most_bytes: for what file_add() is to write at the end */
	uint8_t *buffer;
	size_t used;
	/* What each file begins with: the section, and the interfaces so far. */
	uint8_t head[(FILE_INTERFACES + 1) * BLOCK_MOST_BYTES];
	size_t head_bytes;
	void (*unwritten)(void *arg, uint32_t interface);
	int (*must_end)(void *arg); /* asked while it waits for a reader */
	void *arg;
};

/* file_open - path, most_bytes, n_files and the functions are set. */
int file_open(struct tape_file *f);

/* file_declare - an interface, in this file and those that follow; FILE_INTERFACES at most. */
int file_declare(struct tape_file *f, const uint8_t *block, size_t bytes);

/* file_put - a packet's block, into the buffer. file_add - another one, at the end, for which there is room. */
int file_put(struct tape_file *f, const uint8_t *block, size_t bytes);
int file_add(struct tape_file *f, const uint8_t *block, size_t bytes);
int file_flush(struct tape_file *f);

/* file_close - with what is in the buffer. */
int file_close(struct tape_file *f);

#endif
