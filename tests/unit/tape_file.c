/* tape_file.c - where tape writes: whole blocks, in files of a size and a mode, and each packet written or told. */
#include "tape/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "suites.h"

#define MOST_PAYLOAD 1500

static uint64_t unwritten_pkts;
static int ends;

static void one_unwritten(void *arg, uint32_t interface)
{
	(void)arg;
	unwritten_pkts += interface == 0;
}

static int does_end(void *arg)
{
	(void)arg;
	return ends;
}

static void open_file(struct tape_file *f, const char *path, uint64_t most_bytes, uint32_t n_files)
{
	uint8_t block[BLOCK_MOST_BYTES];

	unwritten_pkts = 0;
	*f = (struct tape_file){ .path = path, .most_bytes = most_bytes, .n_files = n_files };
	f->unwritten = one_unwritten;
	f->must_end = does_end;
	CU_ASSERT_EQUAL_FATAL(file_open(f), 0);
	CU_ASSERT_EQUAL(file_declare(f, block, block_interface(block, "high", "")), 0);
}

static int put_packet(struct tape_file *f, uint32_t payload_bytes)
{
	static uint8_t block[BLOCK_MOST_BYTES + MOST_PAYLOAD], payload[MOST_PAYLOAD];
	const struct block_packet p = { .payload = payload, .payload_bytes = payload_bytes, .comment = "c" };

	return file_put(f, block, block_packet(block, &p));
}

/* How many packets are in a file that must be whole blocks, with a section in front. */
static uint32_t packets_in(const char *path, off_t *bytes)
{
	static uint8_t all[1 << 20];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, all, sizeof(all)), at = 0;
	uint32_t packets = 0, type, interface;

	*bytes = n;
	CU_ASSERT(n > 0 && memcmp(all, "\x0a\x0d\x0d\x0a", 4) == 0);
	while (at + 12 <= n) {
		at += (ssize_t)block_read(all + at, &type, &interface);
		packets += type == BLOCK_PACKET;
	}
	CU_ASSERT_EQUAL(at, n);
	close(fd);
	return packets;
}

static void a_file_is_its_owners_and_ends_at_its_size(void)
{
	static struct tape_file f;
	char path[64];
	struct stat st;
	uint32_t n = 0;
	off_t bytes;

	snprintf(path, sizeof(path), "/tmp/ontime-unit-%d.pcapng", getpid());
	close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)); /* one that others may read is not written to */
	open_file(&f, path, 10000, 1);
	while (put_packet(&f, n % 300) == 0)
		n++;
	CU_ASSERT_EQUAL(put_packet(&f, 1000), FILE_FULL);
	CU_ASSERT_EQUAL(file_close(&f), 0);
	CU_ASSERT_EQUAL(packets_in(path, &bytes), n);
	CU_ASSERT(bytes <= 10000 && bytes > 9000);
	CU_ASSERT(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600);
	unlink(path);
}

static void full_files_move_along(void)
{
	static struct tape_file f;
	char path[64], older[80];
	uint32_t n = 0;
	off_t bytes;

	snprintf(path, sizeof(path), "/tmp/ontime-unit-%d.pcapng", getpid());
	open_file(&f, path, 10000, 3);
	for (uint32_t i = 0; i < 200; i++)
		CU_ASSERT_EQUAL(put_packet(&f, 300), 0);
	CU_ASSERT_EQUAL(file_close(&f), 0);
	for (uint32_t i = 0; i < 4; i++) {
		snprintf(older, sizeof(older), i ? "%s.%u" : "%s", path, i);
		if (i == 3) {
			CU_ASSERT_NOT_EQUAL(access(older, F_OK), 0);
			break;
		}
		n += packets_in(older, &bytes);
		CU_ASSERT(bytes <= 10000);
		unlink(older);
	}
	CU_ASSERT(n > 50 && n < 80); /* the last two full ones, and the begin of another */
}

static void what_a_full_disk_did_not_take_is_told(void)
{
	static struct tape_file f;

	open_file(&f, "/dev/full", 0, 1);
	for (uint32_t i = 0; i < 10; i++)
		CU_ASSERT_EQUAL(put_packet(&f, 100), 0);
	CU_ASSERT_EQUAL(file_flush(&f), -ENOSPC);
	CU_ASSERT_EQUAL(unwritten_pkts, 10);
	file_close(&f);
}

static void a_pipe_that_is_not_read_ends_when_asked(void)
{
	static struct tape_file f;
	char path[64];
	int reader;

	snprintf(path, sizeof(path), "/tmp/ontime-unit-%d.fifo", getpid());
	CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
	reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	open_file(&f, path, 0, 1);
	ends = 1;
	for (uint32_t i = 0; i < 500; i++) /* 64 KiB fit */
		CU_ASSERT_EQUAL(put_packet(&f, 1000), 0);
	CU_ASSERT_EQUAL(file_flush(&f), -ETIMEDOUT);
	CU_ASSERT(unwritten_pkts > 400 && unwritten_pkts < 450);
	ends = 0;
	file_close(&f);
	close(reader);
	unlink(path);
}

static void a_symbolic_link_is_refused(void)
{
	static struct tape_file f = { .n_files = 1 };
	char path[64];

	snprintf(path, sizeof(path), "/tmp/ontime-unit-%d.link", getpid());
	CU_ASSERT_EQUAL_FATAL(symlink("/tmp/ontime-unit-nowhere", path), 0);
	f.path = path;
	CU_ASSERT_EQUAL(file_open(&f), -ELOOP);
	CU_ASSERT_NOT_EQUAL(access("/tmp/ontime-unit-nowhere", F_OK), 0);
	file_close(&f);
	unlink(path);
}

SUITE(tape_file, TEST(a_file_is_its_owners_and_ends_at_its_size), TEST(full_files_move_along),
      TEST(what_a_full_disk_did_not_take_is_told), TEST(a_pipe_that_is_not_read_ends_when_asked),
      TEST(a_symbolic_link_is_refused))
