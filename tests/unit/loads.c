/* loads.c - configurations as text and as arguments, loaded, and what is said of them. */
#include "loads.h"

#include <CUnit/CUnit.h>
#include <errno.h>
#include <linux/filter.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int ask(struct host *h, char why[HOSTS_WHY_BYTES])
{
	static const struct {
		const char *name, *at;
		uint32_t n;
	} known[] = { { "sink.example", "192.0.2.7", 1 },
		      { "far.example", "2001:db8::7", 3 },
		      { "self.example", "127.0.0.1", 1 },
		      { "any.example", "0.0.0.0", 1 },
		      { "link.example", "fe80::7%1", 1 } };

	n_asked++;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(h->name, known[i].name) == 0) {
			strcpy(h->at, known[i].at);
			h->n_addresses = known[i].n;
			return 0;
		}
	if (strcmp(h->name, "busy.example") == 0) {
		strcpy(why, "cannot be resolved now");
		return -EAGAIN;
	}
	strcpy(why, "there is no such host");
	return -EINVAL;
}

struct hosts loads_hosts;
unsigned int n_asked;

static int load(struct config *c, const char *file, int argc, char *const *argv, const char *top, char why[TEXT_BYTES])
{
	const struct config_source source = { file, argc, argv, &loads_hosts, top, 0 };

	loads_hosts.ask = ask;
	why[0] = '\0';
	return config_load_as(c, &source, why, TEXT_BYTES);
}

void write_file(struct file *f, const char *text, size_t bytes)
{
	int fd;

	strcpy(f->path, "/tmp/ontime-test-config-XXXXXX");
	fd = mkstemp(f->path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, bytes), (ssize_t)bytes);
	close(fd);
}

static void replace(char text[TEXT_BYTES], const char *path)
{
	for (char *at = strstr(text, path); at; at = strstr(at, path)) {
		memmove(at + 4, at + strlen(path), strlen(at + strlen(path)) + 1);
		memcpy(at, "FILE", 4);
	}
}

int load_bytes(struct config *c, const char *text, size_t bytes, char why[TEXT_BYTES])
{
	struct file f;
	int err;

	write_file(&f, text, bytes);
	err = load(c, f.path, 0, NULL, NULL, why);
	unlink(f.path);
	replace(why, f.path);
	return err;
}

int here(const char *text, const char *argument, char why[TEXT_BYTES])
{
	char program[] = "hold", word[TEXT_BYTES];
	char *argv[] = { program, word, NULL };
	struct config c;
	struct file f;
	int err;

	snprintf(word, sizeof(word), "%s", argument);
	write_file(&f, text, strlen(text));
	err = load(&c, f.path, 2, argv, ".", why);
	unlink(f.path);
	replace(why, f.path);
	return err;
}

int argued(struct config *c, const char *argument, char why[TEXT_BYTES])
{
	char word[TEXT_BYTES], program[] = "edf";
	char *argv[] = { program, word, NULL };

	snprintf(word, sizeof(word), "%s", argument);
	return load(c, NULL, 2, argv, NULL, why);
}

void check_equal(const char *got, const char *expected)
{
	if (strcmp(got, expected) != 0)
		fprintf(stderr, "\n   got      %s\n   expected %s\n", got, expected);
	CU_ASSERT_STRING_EQUAL(got, expected);
}

void check_address(const struct address *a, const char *text)
{
	char got[ADDRESS_BYTES];

	check_equal(address_format(a, got), text);
}

void refused(const char *text, const char *lines)
{
	struct config c, before;
	char why[TEXT_BYTES];

	memset(&c, 0x5a, sizeof(c));
	before = c;
	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
	check_equal(why, lines);
	CU_ASSERT_EQUAL(memcmp(&c, &before, sizeof(c)), 0);
}

void argument_refused(const char *argument, const char *line)
{
	char why[TEXT_BYTES];
	struct config c;

	CU_ASSERT_EQUAL(argued(&c, argument, why), -EINVAL);
	check_equal(why, line);
}

struct config accepted(const char *text)
{
	struct config c = { 0 };
	char why[TEXT_BYTES];

	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), 0);
	check_equal(why, "");
	return c;
}

struct config argument_accepted(const char *argument)
{
	struct config c = { 0 };
	char why[TEXT_BYTES];

	CU_ASSERT_EQUAL(argued(&c, argument, why), 0);
	check_equal(why, "");
	return c;
}

int changes(const struct config *from, const struct config *to, char text[TEXT_BYTES])
{
	FILE *out = fmemopen(text, TEXT_BYTES, "w");
	int relaunches;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	text[0] = '\0';
	relaunches = config_explain_changes(from, to, out);
	fclose(out);
	return relaunches;
}

void append_class(char text[TEXT_BYTES], const char *name, int in, const char *out)
{
	size_t len = strlen(text);

	snprintf(text + len, TEXT_BYTES - len, "[class %s]\nlisten = 127.0.0.1:%d\nsend = %s\n", name, in, out);
}

bool has_rules(void)
{
	struct sock_filter all = { .code = BPF_RET | BPF_K };
	struct sock_fprog program = { .len = 1, .filter = &all };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1, is_there;

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	is_there = setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program, sizeof(program)) == 0 ||
		   errno != ENOPROTOOPT;
	close(fd);
	return is_there;
}
