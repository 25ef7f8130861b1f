/*
 * input.h - what the fuzz targets share: bytes as a file, bytes taken one after the other, and what must hold.
 *
 * Rules:   a target is LLVMFuzzerTestOneInput() in a file of its own: libFuzzer calls it with any bytes, again and
 *          again in one process. What must hold is asked for with must(), which ends the process: libFuzzer keeps the
 *          bytes.
 */
#ifndef ONTIME_TESTS_FUZZ_INPUT_H
#define ONTIME_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* LLVMFuzzerTestOneInput - of each target. LLVMFuzzerInitialize - before the first, of those that set up something. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

#define must(claim)                                                                                                    \
	do {                                                                                                           \
		if (!(claim))                                                                                          \
			__builtin_trap();                                                                              \
	} while (0)

#define FILE_NAME_BYTES 32

/* input_file - a file without a name that holds these bytes; *fd: -1 the first time, and the caller's. */
static inline void input_file(int *fd, const void *data, size_t size, char name[FILE_NAME_BYTES])
{
	if (*fd < 0)
		*fd = memfd_create("fuzz", MFD_CLOEXEC);
	must(*fd >= 0 && ftruncate(*fd, 0) == 0);
	must(size == 0 || pwrite(*fd, data, size, 0) == (ssize_t)size);
	snprintf(name, FILE_NAME_BYTES, "/proc/self/fd/%d", *fd);
}

struct input {
	const uint8_t *at;
	size_t left;
};

/* input_take - the next bytes; zeros behind the end. */
static inline void input_take(struct input *in, void *to, size_t bytes)
{
	size_t n = bytes < in->left ? bytes : in->left;

	memset(to, 0, bytes);
	if (n) /* libFuzzer's first input is no bytes, at no address */
		memcpy(to, in->at, n);
	in->at += n;
	in->left -= n;
}

static inline uint8_t input_byte(struct input *in)
{
	uint8_t value;

	input_take(in, &value, sizeof(value));
	return value;
}

static inline uint16_t input_half(struct input *in)
{
	uint16_t value;

	input_take(in, &value, sizeof(value));
	return value;
}

static inline uint64_t input_word(struct input *in)
{
	uint64_t value;

	input_take(in, &value, sizeof(value));
	return value;
}

#endif
