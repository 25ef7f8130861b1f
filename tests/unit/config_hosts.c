/* config_hosts.c - host names in place of addresses: what they become, and when nobody is asked. */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loads.h"
#include "suites.h"

static void a_name_becomes_an_address_wherever_one_is_accepted(void)
{
	struct config c = accepted(
		"[class a]\nlisten = self.example:1 127.0.0.2:1\n"
		"send = sink.example:2 far.example:3\n  sink.example:4 link.example:5 ; two more\n\tSINK.example:6\n");
	const struct class_config *class = &c.classes[0];

	CU_ASSERT_EQUAL_FATAL(class->n_dests, 5);
	check_address(&class->listen[0], "127.0.0.1:1");
	check_address(&class->dests[0], "192.0.2.7:2");
	check_address(&class->dests[1], "[2001:db8::7]:3");
	check_address(&class->dests[2], "192.0.2.7:4");
	check_address(&class->dests[3], "[fe80::7%1]:5");
	check_address(&class->dests[4], "192.0.2.7:6");
	CU_ASSERT_EQUAL(class->listen[1].host, 0);
	check_equal(loads_hosts.all[class->dests[0].host - 1].name, "sink.example");
	CU_ASSERT_EQUAL(class->dests[2].host, class->dests[0].host);
	CU_ASSERT_EQUAL(loads_hosts.all[class->dests[1].host - 1].n_addresses, 3);
}

static void a_name_is_asked_for_once(void)
{
	unsigned int before = n_asked;

	accepted("[class a]\nlisten = self.example:1\nsend = sink.example:2 sink.example:3\n sink.example:4\n"
		 "[class b]\nlisten = self.example:2\nsend = sink.example:5\n");
	CU_ASSERT_EQUAL(n_asked - before, 2);
}

static void what_a_name_stands_for_is_refused_as_the_address_is(void)
{
	argument_refused("--high.send=any.example:1",
			 "command line: --high.send=\"any.example:1\": \"any.example:1\", 0.0.0.0:1: stands for any "
			 "address, which is none to send to; name the receiver's");
	argument_refused("--high.send=nosuch.example:1", "command line: --high.send=\"nosuch.example:1\": "
							 "\"nosuch.example:1\": there is no such host");
	refused("[class a]\nlisten = self.example:1\nsend = self.example:1\n",
		"FILE:3: send = \"127.0.0.1:1\": class a listens there (127.0.0.1:1): each datagram would go round for "
		"ever, a -> a; send it elsewhere");
	refused("[class a]\nlisten = any.example:1\nsend = self.example:1\n",
		"FILE:3: send = \"127.0.0.1:1\": class a listens there (127.0.0.1:1): each datagram would go round for "
		"ever, a -> a; send it elsewhere");
}

static void a_name_that_cannot_be_resolved_now_may_pass_unless_the_text_is_wrong_too(void)
{
	char why[TEXT_BYTES];
	struct config c;

	CU_ASSERT_EQUAL(argued(&c, "--high.send=busy.example:1", why), -EAGAIN);
	check_equal(why, "command line: --high.send=\"busy.example:1\": \"busy.example:1\": cannot be resolved now");
	CU_ASSERT_TRUE(config_may_pass(-EAGAIN));
	CU_ASSERT_EQUAL(here(CLASS_TEXT " busy.example:2\n", "--late=x", why), -EINVAL);
	CU_ASSERT_EQUAL(here(CLASS_TEXT "late = x\n", "--a.send=busy.example:1", why), -EINVAL);
}

static void the_section_hosts_is_asked_first_wherever_it_is(void)
{
	unsigned int before = n_asked;
	struct config c =
		accepted(CLASS_TEXT " sink.example:3 v6.example:4\n[hosts] ; pinned\nsink.example = 10.0.0.1\n"
				    "v6.example = fe80::1%lo\n[pipeline]\nlate = drop\n");

	CU_ASSERT_EQUAL(n_asked, before);
	check_address(&c.classes[0].dests[1], "10.0.0.1:3");
	check_address(&c.classes[0].dests[2], "[fe80::1%lo]:4");
	CU_ASSERT_EQUAL(c.late, LATE_DROP);
}

static void a_line_of_hosts_is_a_name_and_a_numeric_address(void)
{
	static const char *const wrong[][2] = {
		{ "sink.example = 10.0.0.1:80",
		  "not a numeric address; use one without a port (for example 192.0.2.7)" },
		{ "sink.example = other.example",
		  "not a numeric address; use one without a port (for example 192.0.2.7)" },
		{ "sink.example = ", "not a numeric address; use one without a port (for example 192.0.2.7)" },
		{ "10.1 = 10.0.0.1", "not a host name" },
		{ "a_name_with_blanks in it = 10.0.0.1", "not a host name" },
	};
	char text[TEXT_BYTES], lines[TEXT_BYTES], why[TEXT_BYTES];
	struct config c;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(text, sizeof(text), "[hosts]\n%s\n", wrong[i][0]);
		CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
		snprintf(lines, sizeof(lines), "\": %s", wrong[i][1]);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, lines));
		CU_ASSERT_EQUAL(strncmp(why, "FILE:2: ", 8), 0);
		CU_ASSERT_PTR_NULL(strchr(why, '\n'));
	}
	refused("[hosts]\na.b = 10.0.0.1\nA.b = 10.0.0.2\n", "FILE:3: A.b = \"10.0.0.2\": given twice");
	refused("[hosts]\nnonsense\n[hosts]\n", "FILE:2: neither a [section], nor key = value, nor a comment\n"
						"FILE:3: [hosts]: given twice, first on line 1");
}

/* With nobody to ask, an address is left unset, and that is no mistake: whoever wants it that way counts them. */
static void without_a_resolver_names_stay_unset_and_are_counted(void)
{
	static struct hosts hosts;
	char why[TEXT_BYTES] = "", program[] = "x", first[] = "--high.send=sink.example:1 10.0.0.1:2",
	     second[] = "--low.listen=sink.example:1 far.example:1";
	char *argv[] = { program, first, second, NULL };
	const struct config_source source = { .argc = 3, .argv = argv, .hosts = &hosts };
	struct config c;

	CU_ASSERT_EQUAL(config_load_as(&c, &source, why, sizeof(why)), 0);
	check_equal(why, "");
	CU_ASSERT_EQUAL(hosts.n_unknown, 2);
	CU_ASSERT_EQUAL(c.classes[0].n_dests, 2);
	CU_ASSERT_EQUAL(c.classes[0].dests[0].len, 0);
	check_address(&c.classes[0].dests[0], "unset");
}

/* written - what hosts_write() leaves behind a copy of the text. */
static int written(const char *text, const struct hosts *hosts)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	FILE *out;

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	out = fdopen(dup(fd), "w");
	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	hosts_write(hosts, out);
	CU_ASSERT_EQUAL(fclose(out), 0);
	return fd;
}

static void a_copy_that_an_instance_runs_with_tells_all_stages_the_same(void)
{
	static const char text[] =
		"[class a]\nlisten = self.example:1\nsend = sink.example:2 link.example:3"; /* no newline */
	struct config c = accepted(text), again;
	char path[64], why[TEXT_BYTES] = "", program[] = "edf", send[] = "--a.send=far.example:1";
	char *argv[] = { program, send, NULL };
	int fd = written(text, &loads_hosts);
	unsigned int before = n_asked;

	setenv("ONTIME_CONFIG_NAME", "/etc/mine.conf", 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	CU_ASSERT_EQUAL(config_load(&again, path, 0, NULL, why, sizeof(why)), 0);
	check_equal(why, "");
	CU_ASSERT_EQUAL(config_digest(&again), config_digest(&c));
	CU_ASSERT_EQUAL(n_asked, before);
	check_address(&again.classes[0].dests[1], "[fe80::7%1]:3");
	CU_ASSERT_EQUAL(config_load(&again, path, 2, argv, why, sizeof(why)), -EINVAL);
	check_equal(why, "/etc/mine.conf: host far.example is not in the [hosts] of what this instance runs with");
	unsetenv("ONTIME_CONFIG_NAME");
	close(fd);
	fd = written(CLASS_TEXT, &(struct hosts){ 0 });
	CU_ASSERT_EQUAL(lseek(fd, 0, SEEK_END), (off_t)strlen(CLASS_TEXT));
	close(fd);
}

static void the_resolver_of_the_system_knows_this_machine_and_not_that_one(void)
{
	struct host h = { .name = "localhost" }, none = { .name = "nosuch.invalid" };
	char why[HOSTS_WHY_BYTES] = "";
	int err;

	CU_ASSERT_EQUAL(hosts_ask_resolver(&h, why), 0);
	CU_ASSERT(strcmp(h.at, "127.0.0.1") == 0 || strcmp(h.at, "::1") == 0);
	CU_ASSERT(h.n_addresses >= 1);
	err = hosts_ask_resolver(&none, why); /* without a network it cannot be said */
	CU_ASSERT(err == -EINVAL || err == -EAGAIN);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, err == -EINVAL ? "there is no such host (" : "cannot be resolved now ("));
}

static void a_name_has_a_limit(void)
{
	char argument[256] = "--high.send=", why[TEXT_BYTES];
	struct config c;

	for (int i = 0; i < 4; i++)
		strcat(argument, "a23456789012345678901234567890.");
	strcat(argument, "abc:1"); /* 127 characters */
	CU_ASSERT_EQUAL(argued(&c, argument, why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "there is no such host"));
	strcpy(strstr(argument, "abc:1"), "abcd:1");
	CU_ASSERT_EQUAL(argued(&c, argument, why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "is neither an address nor a host name"));
}

SUITE(config_hosts, TEST(a_name_becomes_an_address_wherever_one_is_accepted), TEST(a_name_is_asked_for_once),
      TEST(what_a_name_stands_for_is_refused_as_the_address_is),
      TEST(a_name_that_cannot_be_resolved_now_may_pass_unless_the_text_is_wrong_too),
      TEST(the_section_hosts_is_asked_first_wherever_it_is), TEST(a_line_of_hosts_is_a_name_and_a_numeric_address),
      TEST(without_a_resolver_names_stay_unset_and_are_counted),
      TEST(a_copy_that_an_instance_runs_with_tells_all_stages_the_same),
      TEST(the_resolver_of_the_system_knows_this_machine_and_not_that_one), TEST(a_name_has_a_limit))
