/* config.c - what a configuration is read as, and the one line said about each that is refused. */
#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/address.h"
#include "config/cycle.h"
#include "config/table.h"
#include "shm/segment.h"
#include "suites.h"

#define TEXT_BYTES 8192
#define CLASS_TEXT "[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n" /* three lines, and complete */

/* The loader takes paths; a file of its own per test keeps runs in parallel apart. */
struct file {
	char path[64];
};

static void write_file(struct file *f, const char *text, size_t bytes)
{
	int fd;

	strcpy(f->path, "/tmp/ontime-test-config-XXXXXX");
	fd = mkstemp(f->path);
	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, bytes), (ssize_t)bytes);
	close(fd);
}

/* load_bytes - load `text`; the path in `why` is replaced by FILE. */
static int load_bytes(struct config *c, const char *text, size_t bytes, char *why)
{
	char raw[TEXT_BYTES] = "";
	struct file f;
	int err;

	write_file(&f, text, bytes);
	err = config_load(c, f.path, 0, NULL, raw, sizeof(raw));
	unlink(f.path);
	if (strncmp(raw, f.path, strlen(f.path)) == 0)
		snprintf(why, TEXT_BYTES, "FILE%s", raw + strlen(f.path));
	else
		snprintf(why, TEXT_BYTES, "%s", raw);
	return err;
}

static void check_equal(const char *got, const char *expected)
{
	if (strcmp(got, expected) != 0)
		fprintf(stderr, "\n   got      %s\n   expected %s\n", got, expected);
	CU_ASSERT_STRING_EQUAL(got, expected);
}

/* refused - the text is refused with exactly this line, and the config stays as it was. */
static void refused(const char *text, const char *line)
{
	struct config c, before;
	char why[TEXT_BYTES];

	memset(&c, 0x5a, sizeof(c));
	before = c;
	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
	check_equal(why, line);
	CU_ASSERT_EQUAL(memcmp(&c, &before, sizeof(c)), 0);
}

/* accepted - load the text, which must be fine. */
static struct config accepted(const char *text)
{
	struct config c = { 0 };
	char why[TEXT_BYTES];

	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), 0);
	check_equal(why, "");
	return c;
}

/* argued - load the defaults and one argument; returns config_load()'s result. */
static int argued(struct config *c, const char *argument, char why[TEXT_BYTES])
{
	char word[TEXT_BYTES], program[] = "edf";
	char *argv[] = { program, word, NULL };

	snprintf(word, sizeof(word), "%s", argument);
	why[0] = '\0';
	return config_load(c, NULL, 2, argv, why, TEXT_BYTES);
}

static void argument_refused(const char *argument, const char *line)
{
	char why[TEXT_BYTES];
	struct config c;

	CU_ASSERT_EQUAL(argued(&c, argument, why), -EINVAL);
	check_equal(why, line);
}

static struct config argument_accepted(const char *argument)
{
	struct config c = { 0 };
	char why[TEXT_BYTES];

	CU_ASSERT_EQUAL(argued(&c, argument, why), 0);
	check_equal(why, "");
	return c;
}

/* changes - what config_explain_changes() prints, and the relaunches it counts. */
static int changes(const struct config *from, const struct config *to, char text[TEXT_BYTES])
{
	FILE *out = fmemopen(text, TEXT_BYTES, "w");
	int relaunches;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	text[0] = '\0';
	relaunches = config_explain_changes(from, to, out);
	fclose(out);
	return relaunches;
}

static void check_address(const struct address *a, const char *text)
{
	char got[ADDRESS_BYTES];

	check_equal(address_format(a, got), text);
}

static void the_defaults_are_the_four_classes_of_the_readme(void)
{
	static const char *const names[] = { "high", "medium", "low", "besteffort" };
	static const uint64_t budgets[] = { 1000000, 10000000, 100000000, BUDGET_NONE };
	static const uint32_t quanta[] = { 262144, 131072, 65536, 65536 };
	char text[ADDRESS_BYTES];
	struct config c;

	config_defaults(&c);
	CU_ASSERT_EQUAL_FATAL(c.n_classes, 4);
	for (uint32_t i = 0; i < 4; i++) {
		const struct class_config *class = &c.classes[i];

		check_equal(class->name, names[i]);
		CU_ASSERT_EQUAL(class->budget_ns, budgets[i]);
		CU_ASSERT_EQUAL(class->ingress_quantum_bytes, quanta[i]);
		CU_ASSERT_EQUAL(class->egress_quantum_bytes, quanta[i]);
		CU_ASSERT_EQUAL(class->ingress_to_edf_pkts, 256);
		CU_ASSERT_EQUAL(class->edf_to_egress_pkts, 256);
		CU_ASSERT_EQUAL(class->n_listen, 1);
		CU_ASSERT_EQUAL(class->n_dests, 1);
		snprintf(text, sizeof(text), "127.0.0.1:%u", 8080 + i);
		check_address(&class->listen[0], text);
		snprintf(text, sizeof(text), "127.0.0.1:%u", 9080 + i);
		check_address(&class->dests[0], text);
	}
}

static void the_defaults_of_the_pipeline_are_those_of_the_design(void)
{
	struct config c;

	config_defaults(&c);
	check_equal(c.file, "");
	check_equal(c.instance, "default");
	CU_ASSERT_EQUAL(c.payload_bytes, 1536);
	CU_ASSERT_EQUAL(c.policy, POLICY_GUARDED);
	CU_ASSERT_EQUAL(c.work, WORK_NONE);
	CU_ASSERT_EQUAL(c.full, FULL_WAIT);
	CU_ASSERT_EQUAL(c.late, LATE_SEND);
	CU_ASSERT_EQUAL(c.rate_bits_per_s, 0);
	CU_ASSERT_EQUAL(c.burst_bytes, 65536);
	CU_ASSERT_EQUAL(c.gso, 1);
	CU_ASSERT_EQUAL(c.socket_buffer_bytes, 16 * 1024 * 1024);
	CU_ASSERT_EQUAL(c.fifo, FIFO_AUTO);
	CU_ASSERT_EQUAL(c.heartbeat_ms, 200);
	CU_ASSERT_EQUAL(c.hung_ms, 2000);
	for (int i = 0; i < N_STAGES; i++) {
		CU_ASSERT_EQUAL(c.cpu[i], -2);
		CU_ASSERT_EQUAL(c.spin_us[i], 0);
	}
}

static void an_empty_file_means_the_defaults(void)
{
	struct config c = accepted(""), defaults;
	char text[TEXT_BYTES];

	config_defaults(&defaults);
	CU_ASSERT_EQUAL(changes(&defaults, &c, text), 0);
	check_equal(text, "");
}

static void the_file_that_comes_along_says_exactly_the_defaults(void)
{
	char text[TEXT_BYTES], why[TEXT_BYTES] = "";
	struct config c, defaults;

	config_defaults(&defaults);
	CU_ASSERT_EQUAL(config_load(&c, "run/ontime.conf", 0, NULL, why, sizeof(why)), 0);
	check_equal(why, "");
	check_equal(c.file, "run/ontime.conf");
	CU_ASSERT_EQUAL(changes(&defaults, &c, text), 0);
	check_equal(text, "");
	CU_ASSERT_EQUAL(config_digest(&c), config_digest(&defaults));
}

static void the_stress_file_is_the_set_up_of_the_ancestor(void)
{
	char why[TEXT_BYTES] = "";
	struct config c;

	CU_ASSERT_EQUAL_FATAL(config_load(&c, "run/stress.conf", 0, NULL, why, sizeof(why)), 0);
	check_equal(c.instance, "stress");
	CU_ASSERT_EQUAL(c.work, WORK_SIMULATE);
	CU_ASSERT_EQUAL(c.full, FULL_DROP);
	CU_ASSERT_EQUAL_FATAL(c.n_classes, 3);
	CU_ASSERT_EQUAL(c.classes[0].egress_quantum_bytes, 16 * c.classes[2].egress_quantum_bytes);
	CU_ASSERT_EQUAL(c.classes[1].egress_quantum_bytes, 4 * c.classes[2].egress_quantum_bytes);
	for (uint32_t i = 0; i < c.n_classes; i++) {
		CU_ASSERT_EQUAL(c.classes[i].ingress_quantum_bytes, c.classes[i].egress_quantum_bytes);
		CU_ASSERT_EQUAL(c.classes[i].ingress_to_edf_pkts, 16);
		CU_ASSERT_EQUAL(c.classes[i].edf_to_egress_pkts, 16);
	}
}

static void every_pipeline_key_is_read(void)
{
	struct config c = accepted("[pipeline]\ninstance = two\npayload_bytes = 9000B\npolicy = edf-drop\n"
				   "work = plugin:build/x.so\nfull = drop\nlate = drop\nrate = 50Mbit\nburst = 128KiB\n"
				   "gso = off\nsocket_buffer = 1MiB\ncpus = 0,1,1\nspin = 0us, 1us ,1ms\nfifo = on\n"
				   "heartbeat = 50ms\nhung = 1s\n");

	check_equal(c.instance, "two");
	CU_ASSERT_EQUAL(c.payload_bytes, 9000);
	CU_ASSERT_EQUAL(c.policy, POLICY_EDF_DROP);
	CU_ASSERT_EQUAL(c.work, WORK_PLUGIN);
	check_equal(c.plugin, "build/x.so");
	CU_ASSERT_EQUAL(c.full, FULL_DROP);
	CU_ASSERT_EQUAL(c.late, LATE_DROP);
	CU_ASSERT_EQUAL(c.rate_bits_per_s, 50000000);
	CU_ASSERT_EQUAL(c.burst_bytes, 131072);
	CU_ASSERT_EQUAL(c.gso, 0);
	CU_ASSERT_EQUAL(c.socket_buffer_bytes, 1048576);
	CU_ASSERT(c.cpu[0] == 0 && c.cpu[1] == 1 && c.cpu[2] == 1);
	CU_ASSERT(c.spin_us[0] == 0 && c.spin_us[1] == 1 && c.spin_us[2] == 1000);
	CU_ASSERT_EQUAL(c.fifo, FIFO_ON);
	CU_ASSERT_EQUAL(c.heartbeat_ms, 50);
	CU_ASSERT_EQUAL(c.hung_ms, 1000);
}

static void every_class_key_is_read_and_the_file_replaces_the_default_classes(void)
{
	struct config c = accepted("[class video-1]\nlisten = 127.0.0.1:8080 [::1]:8080\n"
				   "send = 127.0.0.1:9080\t10.0.0.1:65535\nbudget = 1500us ; a comment\n"
				   "ingress_quantum = 96KiB\negress_quantum = 2kB\n  ingress_to_edf = 1\n"
				   "edf_to_egress=65536\n[class b]\nlisten = 0.0.0.0:1\nsend = [fe80::1%1]:2\n");
	const struct class_config *class = &c.classes[0];
	char scoped[ADDRESS_BYTES];

	CU_ASSERT_EQUAL_FATAL(c.n_classes, 2);
	check_equal(class->name, "video-1");
	CU_ASSERT_EQUAL(class->budget_ns, 1500000);
	CU_ASSERT_EQUAL(class->ingress_quantum_bytes, 98304);
	CU_ASSERT_EQUAL(class->egress_quantum_bytes, 2000);
	CU_ASSERT_EQUAL(class->ingress_to_edf_pkts, 1);
	CU_ASSERT_EQUAL(class->edf_to_egress_pkts, 65536);
	CU_ASSERT(class->n_listen == 2 && class->n_dests == 2);
	check_address(&class->listen[0], "127.0.0.1:8080");
	check_address(&class->listen[1], "[::1]:8080");
	check_address(&class->dests[1], "10.0.0.1:65535");
	CU_ASSERT_EQUAL(c.classes[1].budget_ns, BUDGET_NONE);
	CU_ASSERT_EQUAL(c.classes[1].egress_quantum_bytes, 65536);
	CU_ASSERT_PTR_NOT_NULL(strstr(address_format(&c.classes[1].dests[0], scoped), "[fe80::1%"));
}

/* An interface may come later, and come back with another index: neither is a mistake, nor another config. */
static void a_scope_is_kept_as_it_was_written(void)
{
	static const char *const scoped[] = { "[fe80::1%nosuchif]:2", "[fe80::1%fifteen_letters]:2", "[fe80::1%lo]:2",
					      "[fe80::1%77]:2" };
	struct sockaddr_storage now;
	char argument[128];

	for (size_t i = 0; i < sizeof(scoped) / sizeof(scoped[0]); i++) {
		struct config c;
		const struct sockaddr_in6 *at = (const struct sockaddr_in6 *)&now;

		snprintf(argument, sizeof(argument), "--high.send=%s", scoped[i]);
		c = argument_accepted(argument);
		check_address(&c.classes[0].dests[0], scoped[i]);
		CU_ASSERT_EQUAL(address_resolve(&c.classes[0].dests[0], &now), i < 2 ? -ENODEV : 0);
		CU_ASSERT_EQUAL(at->sin6_scope_id, i < 2 ? 0 : i == 2 ? if_nametoindex("lo") : 77);
	}
}

static void an_unset_address_is_printed_as_such(void)
{
	struct address a = { 0 };

	check_address(&a, "unset");
}

static void comments_blanks_marks_and_carriage_returns_are_no_part_of_a_value(void)
{
	struct config c =
		accepted("\xEF\xBB\xBF[pipeline] ; first\r\n# none\n\n   ; none\r\n\tpolicy  =  edf-drop  \r\n"
			 "  late : drop ; why\n[class a] # last\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2");

	CU_ASSERT_EQUAL(c.policy, POLICY_EDF_DROP);
	CU_ASSERT_EQUAL(c.late, LATE_DROP);
	CU_ASSERT_EQUAL(c.n_classes, 1);
}

static void an_indented_line_is_a_line_of_its_own_and_no_more_of_the_value_before(void)
{
	struct config c = accepted("[pipeline]\npolicy = edf-drop\n  late = drop\n");

	CU_ASSERT_EQUAL(c.policy, POLICY_EDF_DROP);
	CU_ASSERT_EQUAL(c.late, LATE_DROP);
}

static void a_quantity_without_a_unit_is_refused_with_the_units(void)
{
	refused(CLASS_TEXT "budget = 1\n",
		"FILE:4: budget = \"1\": a unit is missing; use ns, us, ms or s, from 10us to 1h (for example 1ms)");
	refused("[pipeline]\nburst = 64\n", "FILE:2: burst = \"64\": a unit is missing; use B, kB, KiB or MiB, from "
					    "1KiB to 16MiB (for example 64KiB)");
	refused("[pipeline]\nrate = 50\n", "FILE:2: rate = \"50\": a unit is missing; use bit, kbit, Mbit or Gbit (per "
					   "second), from 64kbit to 400Gbit (for example 50Mbit)");
	refused("[pipeline]\nspin = 0\n",
		"FILE:2: spin = \"0\": a unit is missing; use ns, us, ms or s, from 0us to 10ms (for example 0us)");
}

#define BUDGET_USE "use ns, us, ms or s, from 10us to 1h (for example 1ms)"

static void a_quantity_is_one_whole_number_and_one_unit_in_range(void)
{
	refused(CLASS_TEXT "budget =\n", "FILE:4: budget = \"\": a value is missing; " BUDGET_USE);
	refused(CLASS_TEXT "budget = soon\n", "FILE:4: budget = \"soon\": neither a number nor \"none\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = +1ms\n", "FILE:4: budget = \"+1ms\": neither a number nor \"none\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = -1ms\n", "FILE:4: budget = \"-1ms\": a negative number; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1.5ms\n", "FILE:4: budget = \"1.5ms\": not a whole number; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1 ms\n", "FILE:4: budget = \"1 ms\": unknown unit \" ms\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1msx\n", "FILE:4: budget = \"1msx\": unknown unit \"msx\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 1KiB\n", "FILE:4: budget = \"1KiB\": unknown unit \"KiB\"; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 9us\n", "FILE:4: budget = \"9us\": too small; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 0ms\n", "FILE:4: budget = \"0ms\": too small; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 3601s\n", "FILE:4: budget = \"3601s\": too large; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 18446744073709551617ns\n",
		"FILE:4: budget = \"18446744073709551617ns\": too large; " BUDGET_USE);
	refused(CLASS_TEXT "budget = 18446744074s\n", "FILE:4: budget = \"18446744074s\": too large; " BUDGET_USE);
	refused("[pipeline]\nheartbeat = 10500us\n", "FILE:2: heartbeat = \"10500us\": not whole ms; use ns, us, ms or "
						     "s, from 10ms to 1s (for example 200ms)");
	refused("[pipeline]\nspin = 1500ns\n", "FILE:2: spin = \"1500ns\": not whole us; use ns, us, ms or s, from 0us "
					       "to 10ms (for example 0us)");
	refused("[pipeline]\ngso = 1\n", "FILE:2: gso = \"1\": unknown choice; use off or on");
	refused("[pipeline]\npayload_bytes = x\n",
		"FILE:2: payload_bytes = \"x\": not a number; use B, kB, KiB or MiB, "
		"from 64B to 65507B (for example 1536B)");
}

static void a_limit_is_accepted_in_the_words_it_is_printed_in(void)
{
	CU_ASSERT_EQUAL(accepted("[pipeline]\npolicy = edf\n" CLASS_TEXT "budget = 10us\n").classes[0].budget_ns,
			10000);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=1h").classes[0].budget_ns, 3600000000000);
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=none").classes[0].budget_ns, BUDGET_NONE);
	CU_ASSERT_EQUAL(argument_accepted("--rate=400Gbit").rate_bits_per_s, 400000000000);
	CU_ASSERT_EQUAL(argument_accepted("--rate=off").rate_bits_per_s, 0);
	CU_ASSERT_EQUAL(argument_accepted("--socket_buffer=1023MiB").socket_buffer_bytes, 1023U << 20);
}

static void a_count_takes_no_unit(void)
{
	refused(CLASS_TEXT "ingress_to_edf = 256pkts\n",
		"FILE:4: ingress_to_edf = \"256pkts\": not a whole number; use "
		"a whole number, from 1 to 65536 (for example 256)");
	refused(CLASS_TEXT "edf_to_egress = 0\n",
		"FILE:4: edf_to_egress = \"0\": too small; use a whole number, from 1 "
		"to 65536 (for example 256)");
	refused(CLASS_TEXT "edf_to_egress = 65537\n", "FILE:4: edf_to_egress = \"65537\": too large; use a whole "
						      "number, from 1 to 65536 (for example 256)");
	refused(CLASS_TEXT "edf_to_egress = 0x10\n",
		"FILE:4: edf_to_egress = \"0x10\": not a whole number; use a whole "
		"number, from 1 to 65536 (for example 256)");
}

static void a_choice_names_its_words(void)
{
	refused("[pipeline]\npolicy = fifo\n",
		"FILE:2: policy = \"fifo\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\npolicy = edf-\n",
		"FILE:2: policy = \"edf-\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\npolicy = edf|edf-drop\n",
		"FILE:2: policy = \"edf|edf-drop\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\nfull =\n", "FILE:2: full = \"\": a value is missing; use wait or drop");
	refused("[pipeline]\nwork = burn\n",
		"FILE:2: work = \"burn\": unknown choice; use none, simulate or plugin:FILE.so");
	refused("[pipeline]\nwork = plugin:\n",
		"FILE:2: work = \"plugin:\": the plugin's file is missing; use plugin:FILE.so");
}

static void an_instance_is_a_short_plain_word(void)
{
	refused("[pipeline]\ninstance = a/b\n",
		"FILE:2: instance = \"a/b\": not a name; use 1 to 31 of a-z, 0-9, _ and -");
	refused("[pipeline]\ninstance =\n",
		"FILE:2: instance = \"\": a name is missing; use 1 to 31 of a-z, 0-9, _ and -");
	refused("[pipeline]\ninstance = a2345678901234567890123456789012\n",
		"FILE:2: instance = \"a2345678901234567890123456789012\": too long; use 1 to 31 of a-z, 0-9, _ and -");
	check_equal(argument_accepted("--instance=a234567890123456789012345678901").instance,
		    "a234567890123456789012345678901");
}

#define CPUS_USE                                                                                                       \
	"use auto, none, one CPU for all, or three with commas (ingress,edf,egress), from 0 to 1023 (for example "     \
	"0,1,1)"

static void cpus_are_auto_none_one_or_three(void)
{
	struct config c = argument_accepted("--cpus=3");

	CU_ASSERT(c.cpu[0] == 3 && c.cpu[1] == 3 && c.cpu[2] == 3);
	c = argument_accepted("--cpus=none");
	CU_ASSERT(c.cpu[0] == -1 && c.cpu[1] == -1 && c.cpu[2] == -1);
	argument_refused("--cpus=0,1", "command line: --cpus=\"0,1\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=0,1,2,3", "command line: --cpus=\"0,1,2,3\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=-1", "command line: --cpus=\"-1\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=1024", "command line: --cpus=\"1024\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=0,,1", "command line: --cpus=\"0,,1\": not a choice of CPUs; " CPUS_USE);
	argument_refused("--cpus=", "command line: --cpus=\"\": a value is missing; " CPUS_USE);
	argument_refused("--cpus=auto,0,0", "command line: --cpus=\"auto,0,0\": not a choice of CPUs; " CPUS_USE);
}

static void a_spin_is_one_time_or_three(void)
{
	struct config c = argument_accepted("--spin=50us");

	CU_ASSERT(c.spin_us[0] == 50 && c.spin_us[1] == 50 && c.spin_us[2] == 50);
	argument_refused("--spin=0us,1us",
			 "command line: --spin=\"0us,1us\": not one time, nor three with commas "
			 "(ingress,edf,egress); use ns, us, ms or s, from 0us to 10ms (for example 0us)");
	argument_refused("--spin=0us,0us,1", "command line: --spin=\"0us,0us,1\": a unit is missing; use ns, us, ms or "
					     "s, from 0us to 10ms (for example 0us)");
	argument_refused("--spin=0us,,1us", "command line: --spin=\"0us,,1us\": a value is missing; use ns, us, ms or "
					    "s, from 0us to 10ms (for example 0us)");
}

#define ADDRESS_USE "use ADDRESS:PORT, several with blanks between (for example 127.0.0.1:8080 [::1]:8080)"

static void an_address_is_numeric_and_has_a_port(void)
{
	static const char *const wrong[] = { "localhost:80",
					     "127.0.0.1",
					     "127.0.0.1:",
					     "127.0.0.1:0",
					     "127.0.0.1:65536",
					     "127.0.0.1:+1",
					     "127.1:80",
					     "::1:80",
					     "[::1]80",
					     "[]:80",
					     ":80",
					     "*:80",
					     "[fe80::1%]:80",
					     "[fe80::1%0]:80",
					     "[fe80::1%sixteen_letters0]:80",
					     "[fe80::1%a/b]:80",
					     "1.2.3.4:80,",
					     "[::1]:080808" };

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		char argument[128], line[512];

		snprintf(argument, sizeof(argument), "--high.send=%s", wrong[i]);
		snprintf(line, sizeof(line),
			 "command line: --high.send=\"%s\": \"%s\" is not a numeric address and a "
			 "port from 1 to 65535; " ADDRESS_USE,
			 wrong[i], wrong[i]);
		argument_refused(argument, line);
	}
	refused("[class a]\nlisten =\n", "FILE:2: listen = \"\": a value is missing; " ADDRESS_USE);
	refused("[class a]\nlisten = 1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5\n",
		"FILE:2: listen = \"1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5\": more than 4 addresses");
	argument_refused("--high.send=1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 "
			 "1.1.1.1:1",
			 "command line: --high.send=\"1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 1.1.1.1:1 \": "
			 "more than 8 addresses");
}

static void what_cannot_receive_is_refused_with_what_to_do(void)
{
	static const char *const groups[] = { "224.0.0.1:1", "239.255.255.255:1", "[ff02::1%1]:1", "[ff05::2]:1" };

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		char argument[128], line[512];

		snprintf(argument, sizeof(argument), "--high.listen=127.0.0.1:5 %s", groups[i]);
		snprintf(line, sizeof(line),
			 "command line: --high.listen=\"127.0.0.1:5 %s\": \"%s\": multicast groups are not joined by "
			 "this version; use an address of this machine",
			 groups[i], groups[i]);
		argument_refused(argument, line);
	}
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=223.255.255.255:1").classes[0].n_listen, 1);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=240.0.0.1:1").classes[0].n_listen, 1);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=255.255.255.255:1").classes[0].n_listen, 1);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=[::]:1 0.0.0.0:1").classes[0].n_listen, 2);
}

static void what_cannot_be_sent_to_is_refused_with_what_to_do(void)
{
	argument_refused("--high.send=0.0.0.0:1",
			 "command line: --high.send=\"0.0.0.0:1\": \"0.0.0.0:1\": stands for any "
			 "address, which is none to send to; name the receiver's");
	argument_refused("--high.send=[::]:1", "command line: --high.send=\"[::]:1\": \"[::]:1\": stands for any "
					       "address, which is none to send to; name the receiver's");
	argument_refused(
		"--high.send=255.255.255.255:1",
		"command line: --high.send=\"255.255.255.255:1\": \"255.255.255.255:1\": broadcasts are not sent; "
		"name each receiver's address, or a multicast group");
	CU_ASSERT_EQUAL(argument_accepted("--high.send=239.1.2.3:1 [ff05::2]:1").classes[0].n_dests, 2);
}

/* address_refused - as a place to listen and as one to send to, for the same reason. */
static void address_refused(const char *address, const char *reason)
{
	static const char *const keys[] = { "listen", "send" };
	char argument[128], line[512];

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		snprintf(argument, sizeof(argument), "--high.%s=%s", keys[i], address);
		snprintf(line, sizeof(line), "command line: --high.%s=\"%s\": \"%s\": %s", keys[i], address, address,
			 reason);
		argument_refused(argument, line);
	}
}

static void an_address_has_its_own_form_and_a_link_is_named(void)
{
	static const char link[] = "is on each link another; add %INTERFACE (for example [fe80::1%eth0]:8080)";

	address_refused("[::ffff:127.0.0.1]:1",
			"is an IPv4 address in IPv6 form; write it as IPv4 (for example 127.0.0.1:8080)");
	address_refused("[::ffff:a00:1]:1",
			"is an IPv4 address in IPv6 form; write it as IPv4 (for example 127.0.0.1:8080)");
	address_refused("[fe80::1]:1", link);
	address_refused("[febf::1]:1", link);
	argument_refused("--high.send=[ff02::5]:1",
			 "command line: --high.send=\"[ff02::5]:1\": \"[ff02::5]:1\": is on each link another; add "
			 "%INTERFACE (for example [fe80::1%eth0]:8080)");
	CU_ASSERT_EQUAL(argument_accepted("--high.send=[ff02::5%1]:1 [ff05::5]:1 [fec0::1]:1").classes[0].n_dests, 3);
	CU_ASSERT_EQUAL(argument_accepted("--high.listen=[fe80::1%1]:1").classes[0].n_listen, 1);
}

static void an_unknown_key_is_refused_with_the_nearest_one(void)
{
	refused("[pipeline]\npolcy = edf\n", "FILE:2: polcy = \"edf\": unknown key; did you mean policy?");
	refused(CLASS_TEXT "bugdet = 1ms\n", "FILE:4: bugdet = \"1ms\": unknown key; did you mean budget?");
	refused("[pipeline]\nfrobnicate = 1\n",
		"FILE:2: frobnicate = \"1\": unknown key; run/ontime.conf shows all keys");
	refused("[pipeline]\n= 1\n", "FILE:2:  = \"1\": unknown key; run/ontime.conf shows all keys");
	refused("[pipeline]\nbudget = 1ms\n", "FILE:2: budget = \"1ms\": a key of a class, not of [pipeline]");
	refused(CLASS_TEXT "policy = edf\n", "FILE:4: policy = \"edf\": a key of [pipeline], not of a class");
	argument_refused("--polcy=edf", "command line: --polcy=\"edf\": unknown key; did you mean policy?");
	argument_refused("--high.bugdet=1ms", "command line: --high.bugdet=\"1ms\": unknown key; did you mean budget?");
}

static void an_unknown_section_is_refused(void)
{
	refused("[pipelin]\n", "FILE:1: [pipelin]: unknown section; use [pipeline] or [class NAME]");
	refused("[class]\n", "FILE:1: [class]: unknown section; use [pipeline] or [class NAME]");
	refused("[]\n", "FILE:1: []: unknown section; use [pipeline] or [class NAME]");
	refused("[pipeline\n", "FILE:1: \"[pipeline\": the closing ] is missing");
	refused("[pipeline] late = drop\n", "FILE:1: \"[pipeline] late = drop\": text after the ]");
	refused("late = drop\n",
		"FILE:1: late = \"drop\": before the first section; begin with [pipeline] or [class NAME]");
}

static void a_class_name_is_a_short_plain_word(void)
{
	refused("[class High]\n", "FILE:1: [class High]: not a name; use 1 to 15 of a-z, 0-9, _ and -");
	refused("[class ]\n", "FILE:1: [class ]: a name is missing; use 1 to 15 of a-z, 0-9, _ and -");
	refused("[class a234567890123456]\n",
		"FILE:1: [class a234567890123456]: too long; use 1 to 15 of a-z, 0-9, _ and -");
}

static void nothing_may_be_given_twice_in_a_file(void)
{
	refused(CLASS_TEXT "[class a]\n", "FILE:4: [class a]: given twice, first on line 1");
	refused("[pipeline]\n" CLASS_TEXT "[pipeline]\n", "FILE:5: [pipeline]: given twice, first on line 1");
	refused("[pipeline]\nlate = drop\n\nlate = send\n", "FILE:4: late = \"send\": given twice, first on line 2");
}

static void a_listen_address_belongs_to_one_class_only(void)
{
	refused(CLASS_TEXT "[class b]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2\n",
		"FILE:5: listen = \"127.0.0.1:1\": class a listens on 127.0.0.1:1 already");
	refused(CLASS_TEXT "[class b]\nlisten = [::1]:1 0.0.0.0:1\nsend = 127.0.0.1:2\n",
		"FILE:5: listen = \"[::1]:1 0.0.0.0:1\": class a listens on 127.0.0.1:1 already");
	refused("[class b]\nlisten = [::1]:1 [::1]:1\nsend = 127.0.0.1:2\n",
		"FILE:2: listen = \"[::1]:1 [::1]:1\": class b listens on [::1]:1 already");
	argument_refused("--low.listen=127.0.0.1:8080",
			 "command line: --low.listen=\"127.0.0.1:8080\": class high listens on 127.0.0.1:8080 already");
	argument_refused("--high.listen=127.0.0.1:8083",
			 "defaults: [class besteffort] listen = \"127.0.0.1:8083\" (the "
			 "default): class high listens on 127.0.0.1:8083 already");
}

static void what_a_class_sends_to_itself_is_a_loop(void)
{
	refused("[class a]\nlisten = 127.0.0.1:1\nsend = 127.0.0.1:2 127.0.0.1:1\n",
		"FILE:3: send = \"127.0.0.1:2 127.0.0.1:1\": class a listens there (127.0.0.1:1): each datagram would "
		"go "
		"round for ever, a -> a; send it elsewhere");
	refused("[class a]\nlisten = [fe80::1%lo]:1\nsend = [fe80::1%lo]:1\n",
		"FILE:3: send = \"[fe80::1%lo]:1\": class a listens there ([fe80::1%lo]:1): each datagram would go "
		"round for ever, a -> a; send it elsewhere");
	argument_refused("--low.send=127.0.0.1:8082",
			 "command line: --low.send=\"127.0.0.1:8082\": class low listens there (127.0.0.1:8082): each "
			 "datagram would go round for ever, low -> low; send it elsewhere");
	argument_refused("--low.listen=127.0.0.1:9082",
			 "defaults: [class low] send = \"127.0.0.1:9082\" (the default): class low listens there "
			 "(127.0.0.1:9082): each datagram would go round for ever, low -> low; send it elsewhere");
}

static void a_wildcard_receives_what_is_sent_to_loopback(void)
{
	static const char *const pairs[][2] = { { "0.0.0.0:1", "127.0.0.1:1" },
						{ "0.0.0.0:1", "127.255.0.9:1" },
						{ "0.0.0.0:1", "224.0.0.1:1" },
						{ "[::]:1", "[::1]:1" },
						{ "[::]:1", "[ff02::1%1]:1" } };
	static const char *const apart[][2] = { { "0.0.0.0:1", "127.0.0.1:2" }, { "0.0.0.0:1", "[::1]:1" },
						{ "[::]:1", "127.0.0.1:1" },	{ "0.0.0.0:1", "10.0.0.1:1" },
						{ "0.0.0.0:1", "239.0.0.1:1" }, { "[::]:1", "[2001:db8::1]:1" },
						{ "[::]:1", "[ff02::2%1]:1" },	{ "127.0.0.1:1", "127.0.0.2:1" } };
	char text[TEXT_BYTES], why[TEXT_BYTES];
	struct config c;

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		snprintf(text, sizeof(text), "[class a]\nlisten = %s\nsend = %s\n", pairs[i][0], pairs[i][1]);
		CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
		CU_ASSERT_PTR_NOT_NULL(strstr(why, "round for ever, a -> a; "));
	}
	for (size_t i = 0; i < sizeof(apart) / sizeof(apart[0]); i++) {
		snprintf(text, sizeof(text), "[class a]\nlisten = %s\nsend = %s\n", apart[i][0], apart[i][1]);
		CU_ASSERT_EQUAL(accepted(text).n_classes, 1);
	}
}

/* A class as text: it listens on port `in` and sends to `out`. */
static void append_class(char text[TEXT_BYTES], const char *name, int in, const char *out)
{
	size_t len = strlen(text);

	snprintf(text + len, TEXT_BYTES - len, "[class %s]\nlisten = 127.0.0.1:%d\nsend = %s\n", name, in, out);
}

static void classes_that_send_to_each_other_in_a_circle_are_a_loop_and_a_chain_is_none(void)
{
	char text[TEXT_BYTES] = "";

	append_class(text, "a", 1, "127.0.0.1:2");
	append_class(text, "b", 2, "127.0.0.1:9 127.0.0.1:3");
	append_class(text, "c", 3, "127.0.0.1:8");
	CU_ASSERT_EQUAL(accepted(text).n_classes, 3);
	strcpy(strstr(text, "127.0.0.1:8"), "127.0.0.1:2\n");
	refused(text, "FILE:6: send = \"127.0.0.1:9 127.0.0.1:3\": class c listens there (127.0.0.1:3): each datagram "
		      "would go round for ever, b -> c -> b; send it elsewhere");
	strcpy(strstr(text, "send = 127.0.0.1:2\n[class b]"), "send = 127.0.0.1:2\n");
	append_class(text, "b", 2, "127.0.0.1:1");
	refused(text,
		"FILE:3: send = \"127.0.0.1:2\": class b listens there (127.0.0.1:2): each datagram would go round "
		"for ever, a -> b -> a; send it elsewhere");
}

static void a_circle_of_all_classes_is_found(void)
{
	char text[TEXT_BYTES] = "", name[16], to[32], why[TEXT_BYTES];
	struct config c;

	for (int i = 0; i < MAX_CLASSES; i++) {
		snprintf(name, sizeof(name), "a-long-name-%d", i);
		snprintf(to, sizeof(to), "127.0.0.1:%d", 100 + (i + 1) % MAX_CLASSES);
		append_class(text, name, 100 + i, to);
	}
	CU_ASSERT_EQUAL(load_bytes(&c, text, strlen(text), why), -EINVAL);
	CU_ASSERT_PTR_NOT_NULL(strstr(why, "class a-long-name-1 listens there (127.0.0.1:101)"));
	CU_ASSERT(strlen(why) < WHY_BYTES);
}

static void an_address_of_this_machine_behind_a_wildcard_is_a_loop_too(void)
{
	struct config c = argument_accepted("--high.listen=0.0.0.0:1");
	struct address own[2] = { c.classes[1].dests[0], c.classes[2].dests[0] };
	struct loop_found found;

	c = argument_accepted("--high.listen=0.0.0.0:1 [::]:1");
	c.classes[0].dests[0] = argument_accepted("--high.send=10.9.0.1:1").classes[0].dests[0];
	CU_ASSERT_FALSE(loop_find(&c, own, 2, &found));
	own[1] = argument_accepted("--high.send=10.9.0.1:77").classes[0].dests[0];
	CU_ASSERT_TRUE(loop_find(&c, own, 2, &found));
	check_equal(found.text, "high -> high");
	c.classes[0].dests[0] = argument_accepted("--high.send=[fe80::7%1]:1").classes[0].dests[0];
	CU_ASSERT_FALSE(loop_find(&c, own, 2, &found));
	own[0] = argument_accepted("--high.send=[fe80::7%2]:1").classes[0].dests[0];
	CU_ASSERT_FALSE(loop_find(&c, own, 2, &found));
	own[0] = argument_accepted("--high.send=[fe80::7%1]:9").classes[0].dests[0];
	CU_ASSERT_TRUE(loop_find(&c, own, 2, &found));
}

static void a_class_needs_to_listen_and_to_send(void)
{
	refused("\n[class a]\nsend = 127.0.0.1:1\n",
		"FILE:2: [class a]: listen is missing (for example listen = 127.0.0.1:8080)");
	refused("\n[class a]\nlisten = 127.0.0.1:1\n",
		"FILE:2: [class a]: send is missing (for example send = 127.0.0.1:9080)");
}

static void sixteen_classes_are_accepted_and_seventeen_are_not(void)
{
	char text[TEXT_BYTES] = "";
	size_t len = 0;

	for (int i = 1; i <= MAX_CLASSES; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len,
					"[class c%d]\nlisten = 127.0.0.1:%d\nsend = 127.0.0.1:%d\n", i, i, 100 + i);
	CU_ASSERT_EQUAL(accepted(text).n_classes, MAX_CLASSES);
	snprintf(text + len, sizeof(text) - len, "[class c17]\n");
	refused(text, "FILE:49: [class c17]: more than 16 classes");
}

static void a_quantum_holds_the_longest_datagram(void)
{
	refused(CLASS_TEXT "egress_quantum = 1KiB\n",
		"FILE:4: egress_quantum = \"1KiB\": less than payload_bytes, 1536B: the longest datagram must fit");
	refused("[pipeline]\npayload_bytes = 20kB\n" CLASS_TEXT "ingress_quantum = 16KiB\n",
		"FILE:6: ingress_quantum = \"16KiB\": less than payload_bytes, 20000B: the longest datagram must fit");
	argument_refused("--high.ingress_quantum=1kB", "command line: --high.ingress_quantum=\"1kB\": less than "
						       "payload_bytes, 1536B: the longest datagram must fit");
	argument_refused("--burst=1KiB", "command line: --burst=\"1KiB\": less than payload_bytes, 1536B: the longest "
					 "datagram must fit");
}

static void a_sleeping_stage_must_not_look_hung(void)
{
	refused("[pipeline]\nhung = 399ms\n", "FILE:2: hung = \"399ms\": less than twice the heartbeat");
	refused("[pipeline]\nheartbeat = 1s\nhung = 1s\n", "FILE:3: hung = \"1s\": less than twice the heartbeat");
	CU_ASSERT_EQUAL(argument_accepted("--hung=400ms").hung_ms, 400);
}

static void a_margin_leaves_some_of_the_budget(void)
{
	refused(CLASS_TEXT "budget = 1ms\nmargin = 1ms\n", "FILE:5: margin = \"1ms\": not below the budget of class a, "
							   "1ms: guarded would drop its every packet; lower "
							   "the margin, or use another policy");
	argument_refused(
		"--high.budget=50us",
		"defaults: [class high] margin = \"50us\" (the default): not below the budget of class high, 50us: "
		"guarded would drop its every packet; lower the margin, or use another policy");
	CU_ASSERT_EQUAL(argument_accepted("--high.budget=51us").classes[0].budget_ns, 51000);
	CU_ASSERT_EQUAL(argument_accepted("--besteffort.margin=1s").classes[3].margin_ns, 1000000000);
	CU_ASSERT_EQUAL(accepted("[pipeline]\npolicy = edf-drop\n" CLASS_TEXT "budget = 10us\n").classes[0].budget_ns,
			10000);
}

static void work_that_takes_longer_than_a_hang_is_refused_unless_it_is_sliced(void)
{
	static const char work[] = "[pipeline]\nwork = plugin:./a.so\nhung = 500ms\n";
	char text[TEXT_BYTES];

	snprintf(text, sizeof(text), "%s%sexpected_service = 500ms\n", work, CLASS_TEXT);
	refused(text,
		"FILE:7: expected_service = \"500ms\": not below hung, 500ms: edf would be ended in the middle of a "
		"packet; raise hung");
	snprintf(text, sizeof(text), "%s%sexpected_service = 499ms\n", work, CLASS_TEXT);
	CU_ASSERT_EQUAL(accepted(text).hung_ms, 500);
	snprintf(text, sizeof(text), "%sslice = 50us\n%sexpected_service = 500ms\n", work, CLASS_TEXT);
	CU_ASSERT_EQUAL(accepted(text).hung_ms, 500);
	CU_ASSERT_EQUAL(accepted("[pipeline]\nhung = 500ms\n" CLASS_TEXT "expected_service = 1s\n").hung_ms, 500);
}

#define LONG_ADDRESS "[2001:db8:1111:2222:3333:4444:5555:7777]:6100"

static void addresses_go_on_in_an_indented_line(void)
{
	struct config c = accepted("[class a]\nlisten = 127.0.0.1:1 ; one\n\t127.0.0.2:1 [::1]:1 ; two, three\n"
				   "send = " LONG_ADDRESS "1 " LONG_ADDRESS "2\n ; none\n  " LONG_ADDRESS
				   "3 " LONG_ADDRESS "4 " LONG_ADDRESS "5\n\n\t" LONG_ADDRESS "6 " LONG_ADDRESS
				   "7 " LONG_ADDRESS "8\n  budget = 7ms\n  [class b]\n\tlisten = 127.0.0.1:3\r\n"
				   "\tsend = 127.0.0.1:4\r\n\t127.0.0.1:5\r\n");
	char expected[ADDRESS_BYTES];

	CU_ASSERT_EQUAL_FATAL(c.classes[0].n_listen, 3);
	check_address(&c.classes[0].listen[1], "127.0.0.2:1");
	CU_ASSERT_EQUAL_FATAL(c.classes[0].n_dests, MAX_DESTS);
	for (int i = 0; i < MAX_DESTS; i++) {
		snprintf(expected, sizeof(expected), LONG_ADDRESS "%d", i + 1);
		check_address(&c.classes[0].dests[i], expected);
	}
	CU_ASSERT_EQUAL(c.classes[0].budget_ns, 7000000);
	CU_ASSERT_EQUAL_FATAL(c.n_classes, 2);
	CU_ASSERT_EQUAL(c.classes[1].n_dests, 2);
}

static void eight_of_the_longest_addresses_fit(void)
{
	static const char one[] = "[fe80:1111:2222:3333:4444:5555:6666:777%d%%lo]:6100%d";
	char text[TEXT_BYTES] = "[class a]\nlisten = 127.0.0.1:1\nsend = ";
	struct config c;

	for (int i = 0; i < MAX_DESTS; i++) {
		size_t len = strlen(text);

		snprintf(text + len, sizeof(text) - len, one, i, i);
		strcat(text, i % 2 ? "\n " : " ");
	}
	strcat(text, "\n");
	c = accepted(text);
	CU_ASSERT_EQUAL(c.classes[0].n_dests, MAX_DESTS);
}

static void a_list_of_addresses_that_goes_on_is_judged_as_one(void)
{
	refused(CLASS_TEXT " 1.1.1.1:1 1.1.1.1:2 1.1.1.1:3 1.1.1.1:4 1.1.1.1:5\n 1.1.1.1:6 1.1.1.1:7 1.1.1.1:8\n",
		"FILE:5: send = \"1.1.1.1:6 1.1.1.1:7 1.1.1.1:8\": more than 8 addresses");
	refused(CLASS_TEXT " 1.1.1.1:1 1.1.1.1\n",
		"FILE:4: send = \"1.1.1.1:1 1.1.1.1\": \"1.1.1.1\" is not a numeric address and a port from 1 to "
		"65535; " ADDRESS_USE);
	refused(CLASS_TEXT " 127.0.0.1:1\n", "FILE:3: send = \"127.0.0.1:2 127.0.0.1:1\": class a listens there "
					     "(127.0.0.1:1): each datagram would go "
					     "round for ever, a -> a; send it elsewhere");
	refused(CLASS_TEXT "budget = 1ms\n 127.0.0.1:7\n",
		"FILE:5: addresses, but the line before is neither listen nor send");
	refused("[class a]\n 127.0.0.1:7\n", "FILE:2: addresses, but the line before is neither listen nor send");
	refused(CLASS_TEXT "127.0.0.1:7\n", "FILE:4: 127.0.0.1 = \"7\": unknown key; run/ontime.conf shows all keys");
}

static void a_line_that_is_nothing_is_refused_before_what_follows_it(void)
{
	refused("[pipeline]\nlate\n", "FILE:2: neither a [section], nor key = value, nor a comment");
	refused("[pipeline]\nlate\npolicy = x\n", "FILE:2: neither a [section], nor key = value, nor a comment");
	refused("[pipeline]\npolicy = x\nlate\n",
		"FILE:2: policy = \"x\": unknown choice; use edf, edf-drop or guarded");
}

static void a_hash_comment_after_a_value_is_explained(void)
{
	refused("[pipeline]\nlate = drop # why\n",
		"FILE:2: late = \"drop # why\": a comment after a value begins with ;");
}

static void a_line_may_have_197_bytes_and_no_more(void)
{
	char text[TEXT_BYTES] = "[pipeline]\n;";
	size_t start = strlen(text) - 1;

	memset(text + start, ';', 197);
	strcpy(text + start + 197, "\nlate = drop\n");
	CU_ASSERT_EQUAL(accepted(text).late, LATE_DROP);
	memset(text + start, ';', 198);
	strcpy(text + start + 198, "\nlate = drop\n");
	refused(text, "FILE:2: longer than 197 bytes; addresses may go on in the next line, indented");
}

static void a_file_with_a_nul_byte_is_refused(void)
{
	static const char text[] = "[pipeline]\nlate = drop\0\n";
	char why[TEXT_BYTES];
	struct config c;

	CU_ASSERT_EQUAL(load_bytes(&c, text, sizeof(text) - 1, why), -EINVAL);
	check_equal(why, "FILE:2: holds a NUL byte: not a text file");
}

static void a_file_that_cannot_be_opened_is_named_with_the_reason(void)
{
	char why[TEXT_BYTES] = "", path[PATH_BYTES + 1];
	struct config c;

	CU_ASSERT_EQUAL(config_load(&c, "/nonexistent/x.conf", 0, NULL, why, sizeof(why)), -ENOENT);
	check_equal(why, "/nonexistent/x.conf: cannot be opened: No such file or directory");
	CU_ASSERT_EQUAL(config_load(&c, "/tmp", 0, NULL, why, sizeof(why)), -EISDIR);
	check_equal(why, "/tmp: cannot be opened: Is a directory");
	memset(path, 'a', PATH_BYTES);
	path[PATH_BYTES] = '\0';
	CU_ASSERT_EQUAL(config_load(&c, path, 0, NULL, why, sizeof(why)), -ENAMETOOLONG);
	check_equal(
		why,
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...: the path is longer than 255 bytes");
}

static void what_may_pass_is_told_apart_from_what_the_text_says(void)
{
	struct rlimit limit, none;
	char why[TEXT_BYTES] = "";
	struct config c;

	CU_ASSERT_EQUAL_FATAL(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	CU_ASSERT_EQUAL(config_load(&c, "run/ontime.conf", 0, NULL, why, sizeof(why)), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &limit);
	check_equal(why, "run/ontime.conf: cannot be opened: Too many open files");
	/* A read that fails: a process's own memory, at an address where there is none. */
	CU_ASSERT_EQUAL(config_load(&c, "/proc/self/mem", 0, NULL, why, sizeof(why)), -EIO);
	check_equal(why, "/proc/self/mem:1: cannot be read: Input/output error");
	CU_ASSERT_FALSE(config_may_pass(0));
	CU_ASSERT_FALSE(config_may_pass(-EINVAL));
	CU_ASSERT_FALSE(config_may_pass(-ENAMETOOLONG));
	CU_ASSERT_TRUE(config_may_pass(-ENOENT));
	CU_ASSERT_TRUE(config_may_pass(-EACCES));
	CU_ASSERT_TRUE(config_may_pass(-EMFILE));
	CU_ASSERT_TRUE(config_may_pass(-EIO));
}

/* A file without a name, as the supervisor hands one on; at its end. */
static int nameless(const char *text)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	CU_ASSERT_FATAL(fd >= 0);
	CU_ASSERT_EQUAL_FATAL(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	return fd;
}

static void a_file_given_by_descriptor_is_read_again_and_again_under_its_own_name(void)
{
	static const char *const forms[] = { "/proc/self/fd/%d", "/dev/fd/%d" };
	int fd = nameless(CLASS_TEXT "budget = 3ms\n");
	char path[64], why[TEXT_BYTES] = "";
	struct config c;

	setenv("ONTIME_CONFIG_NAME", "/etc/mine.conf", 1);
	for (size_t i = 0; i < 2 * sizeof(forms) / sizeof(forms[0]); i++) {
		memset(&c, 0, sizeof(c));
		snprintf(path, sizeof(path), forms[i % 2], fd);
		CU_ASSERT_EQUAL(config_load(&c, path, 0, NULL, why, sizeof(why)), 0);
		CU_ASSERT_EQUAL(c.classes[0].budget_ns, 3000000);
		check_equal(c.file, "/etc/mine.conf");
	}
	CU_ASSERT_EQUAL(ftruncate(fd, 0), 0);
	CU_ASSERT_EQUAL(pwrite(fd, "late = drop\n", 12, 0), 12);
	CU_ASSERT_EQUAL(config_load(&c, path, 0, NULL, why, sizeof(why)), -EINVAL);
	check_equal(
		why,
		"/etc/mine.conf:1: late = \"drop\": before the first section; begin with [pipeline] or [class NAME]");
	close(fd);
	CU_ASSERT_EQUAL(config_load(&c, path, 0, NULL, why, sizeof(why)), -ENOENT);
	check_equal(why, "/etc/mine.conf: cannot be opened: No such file or directory");
	CU_ASSERT_EQUAL(config_load(&c, "run/stress.conf", 0, NULL, why, sizeof(why)), 0);
	check_equal(c.file, "run/stress.conf");
	unsetenv("ONTIME_CONFIG_NAME");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd = nameless("x\n"));
	CU_ASSERT_EQUAL(config_load(&c, path, 0, NULL, why, sizeof(why)), -EINVAL);
	CU_ASSERT_EQUAL(strncmp(why, path, strlen(path)), 0);
	close(fd);
}

static void a_config_behind_links_is_the_one_they_lead_to_now(void)
{
	char dir[] = "/tmp/ontime-test-config-XXXXXX", path[4][64], why[TEXT_BYTES] = "";
	struct config c;

	CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(dir));
	for (int i = 0; i < 4; i++)
		snprintf(path[i], sizeof(path[i]), "%s/%s", dir, (const char *[]){ "one", "two", "next", "conf" }[i]);
	for (int i = 0; i < 2; i++) {
		FILE *f = fopen(path[i], "w");

		CU_ASSERT_PTR_NOT_NULL_FATAL(f);
		fprintf(f, CLASS_TEXT "budget = %dms\n", i + 1);
		fclose(f);
		CU_ASSERT_EQUAL(symlink(path[i], path[2]), 0);
		CU_ASSERT_EQUAL(rename(path[2], path[3]), 0);
		CU_ASSERT_EQUAL(config_load(&c, path[3], 0, NULL, why, sizeof(why)), 0);
		check_equal(c.file, path[3]);
		CU_ASSERT_EQUAL(c.classes[0].budget_ns, (uint64_t)(i + 1) * 1000000);
	}
	for (int i = 0; i < 4; i++)
		unlink(path[i]);
	rmdir(dir);
}

/* here - what config_check_here() says of the file with this text and one argument. */
static int here(const char *text, const char *argument, char why[TEXT_BYTES])
{
	char raw[TEXT_BYTES] = "", program[] = "hold", word[TEXT_BYTES];
	char *argv[] = { program, word, NULL };
	struct file f;
	int err;

	snprintf(word, sizeof(word), "%s", argument);
	write_file(&f, text, strlen(text));
	err = config_check_here(f.path, 2, argv, raw, sizeof(raw));
	unlink(f.path);
	snprintf(why, TEXT_BYTES, "%s%s", strstr(raw, f.path) ? "FILE" : "",
		 strstr(raw, f.path) ? raw + strlen(f.path) : raw);
	return err;
}

static void a_launch_is_refused_for_a_plugin_that_is_not_there_and_a_load_is_not(void)
{
	char why[TEXT_BYTES];

	CU_ASSERT_EQUAL(argument_accepted("--work=plugin:/nonexistent/x.so").work, WORK_PLUGIN);
	CU_ASSERT_EQUAL(here("[pipeline]\nwork = plugin:/nonexistent/x.so\n", "--late=drop", why), -EINVAL);
	check_equal(
		why,
		"FILE:2: work = \"plugin:/nonexistent/x.so\": the plugin cannot be opened: No such file or directory; "
		"build it, or correct the path");
	CU_ASSERT_EQUAL(here("", "--work=plugin:nonexistent/x.so", why), -EINVAL);
	check_equal(
		why,
		"command line: --work=\"plugin:nonexistent/x.so\": the plugin cannot be opened: No such file or "
		"directory; build it, or correct the path (it counts from the directory that run and build lie in)");
	CU_ASSERT_EQUAL(here("", "--work=plugin:/dev/null", why), -EINVAL);
	check_equal(why, "command line: --work=\"plugin:/dev/null\": the plugin is no regular file");
	CU_ASSERT_EQUAL(here("", "--work=plugin:Makefile", why), 0);
	CU_ASSERT_EQUAL(here("", "--work=none", why), 0);
	CU_ASSERT_EQUAL(here("", "--policy=x", why), -EINVAL);
	check_equal(why, "command line: --policy=\"x\": unknown choice; use edf, edf-drop or guarded");
}

static void an_argument_wins_over_the_file_and_the_last_over_those_before(void)
{
	char program[] = "edf", first[] = "--a.budget=2ms", second[] = "--a.budget=3ms", late[] = "--late=drop";
	char *argv[] = { program, first, late, second, NULL };
	char why[TEXT_BYTES] = "", text[] = CLASS_TEXT "budget = 1ms\n[pipeline]\nlate = send\n";
	struct config c = { 0 };
	struct file f;

	write_file(&f, text, strlen(text));
	CU_ASSERT_EQUAL(config_load(&c, f.path, 4, argv, why, sizeof(why)), 0);
	unlink(f.path);
	check_equal(why, "");
	CU_ASSERT_EQUAL(c.classes[0].budget_ns, 3000000);
	CU_ASSERT_EQUAL(c.late, LATE_DROP);
}

static void an_argument_that_is_no_option_is_refused(void)
{
	argument_refused("policy=edf",
			 "command line: \"policy=edf\": not an option; use --KEY=VALUE or --CLASS.KEY=VALUE");
	argument_refused("--=edf", "command line: \"--=edf\": not an option; use --KEY=VALUE or --CLASS.KEY=VALUE");
	argument_refused("", "command line: \"\": not an option; use --KEY=VALUE or --CLASS.KEY=VALUE");
	argument_refused("--policy", "command line: --policy: a value is missing; use --policy=VALUE");
	argument_refused("--policy=x", "command line: --policy=\"x\": unknown choice; use edf, edf-drop or guarded");
	argument_refused("--hihg.budget=1ms", "command line: --hihg.budget=\"1ms\": no class is called \"hihg\"");
	argument_refused("--budget=1ms", "command line: --budget=\"1ms\": a key of a class, not of [pipeline]");
	argument_refused("--high.policy=edf",
			 "command line: --high.policy=\"edf\": a key of [pipeline], not of a class");
	argument_refused("--a23456789012345678901234567890123456789012345678=1",
			 "command line: --a23456789012345678901234567890123456789012345678=\"1\": unknown key");
}

static void a_refusal_is_one_printable_line_that_fits(void)
{
	char why[TEXT_BYTES], small[16] = "", program[] = "edf", argument[] = "--policy=x";
	char *argv[] = { program, argument, NULL };
	struct config c;

	argument_refused("--policy=a\nb\033[1m",
			 "command line: --policy=\"a?b?[1m\": unknown choice; use edf, edf-drop or guarded");
	CU_ASSERT_EQUAL(config_load(&c, NULL, 2, argv, small, sizeof(small)), -EINVAL);
	check_equal(small, "command line: -");
	CU_ASSERT_EQUAL(config_load(&c, NULL, 2, argv, NULL, 0), -EINVAL);
	memset(why, 'p', sizeof(why));
	memcpy(why, "--work=plugin:", 14);
	why[14 + PATH_BYTES] = '\0';
	argument_refused(why,
			 "command line: --work=\"plugin:ppppppppppppppppppppppppppppppppppppppppppppppppppppp\": the "
			 "plugin's path is longer than 255 bytes");
}

static void a_lane_holds_both_limits_and_a_batch(void)
{
	struct class_config class = { .ingress_to_edf_pkts = 256, .edf_to_egress_pkts = 256 };

	CU_ASSERT_EQUAL(config_slots_pkts(&class), 1024);
	class = (struct class_config){ .ingress_to_edf_pkts = 1, .edf_to_egress_pkts = 1 };
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 128);
	class = (struct class_config){ .ingress_to_edf_pkts = 32, .edf_to_egress_pkts = 32 };
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 128);
	class.edf_to_egress_pkts = 33;
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 256);
	class = (struct class_config){ .ingress_to_edf_pkts = 65536, .edf_to_egress_pkts = 65536 };
	CU_ASSERT_EQUAL(config_slots_pkts(&class), 262144);
}

static void the_digest_changes_with_what_the_segment_is_made_of_and_with_nothing_else(void)
{
	static const char *const same[] = { "--policy=edf-drop",
					    "--full=drop",
					    "--late=drop",
					    "--rate=1Gbit",
					    "--burst=32KiB",
					    "--gso=off",
					    "--socket_buffer=1MiB",
					    "--cpus=0",
					    "--spin=1us",
					    "--fifo=on",
					    "--heartbeat=100ms",
					    "--hung=3s",
					    "--high.budget=2ms",
					    "--high.ingress_quantum=8KiB",
					    "--high.egress_quantum=8KiB",
					    "--high.ingress_to_edf=257" };
	static const char *const other[] = { "--instance=x",
					     "--payload_bytes=1500B",
					     "--work=simulate",
					     "--work=plugin:a.so",
					     "--work=plugin:b.so",
					     "--high.listen=127.0.0.1:7",
					     "--high.send=127.0.0.1:7",
					     "--low.send=127.0.0.1:7",
					     "--high.ingress_to_edf=1024" };
	uint64_t seen[sizeof(other) / sizeof(other[0])];
	struct config c;
	uint64_t digest;

	config_defaults(&c);
	digest = config_digest(&c);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
		c = argument_accepted(same[i]);
		CU_ASSERT_EQUAL(config_digest(&c), digest);
	}
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
		c = argument_accepted(other[i]);
		seen[i] = config_digest(&c);
		CU_ASSERT_NOT_EQUAL(seen[i], digest);
		for (size_t j = 0; j < i; j++)
			CU_ASSERT_NOT_EQUAL(seen[i], seen[j]);
	}
}

static void each_change_is_explained_and_those_that_need_a_relaunch_are_counted(void)
{
	static const struct {
		const char *argument, *line;
		int relaunches;
	} cases[] = {
		{ "--policy=edf-drop", "policy: guarded -> edf-drop\n", 0 },
		{ "--full=drop", "full: wait -> drop\n", 0 },
		{ "--late=drop", "late: send -> drop\n", 0 },
		{ "--rate=1500kbit", "rate: off -> 1500kbit\n", 0 },
		{ "--burst=1500kB", "burst: 64KiB -> 1500kB\n", 0 },
		{ "--gso=off", "gso: on -> off\n", 0 },
		{ "--spin=0us,0us,50us", "spin: 0us -> 0us,0us,50us\n", 0 },
		{ "--heartbeat=1s", "heartbeat: 200ms -> 1s\n", 0 },
		{ "--hung=60s", "hung: 2s -> 60s\n", 0 },
		{ "--high.budget=none", "high.budget: 1ms -> none\n", 0 },
		{ "--high.ingress_quantum=2MiB", "high.ingress_quantum: 256KiB -> 2MiB\n", 0 },
		{ "--low.egress_quantum=1537B", "low.egress_quantum: 64KiB -> 1537B\n", 0 },
		{ "--low.ingress_to_edf=300", "low.ingress_to_edf: 256 -> 300\n", 0 },
		{ "--low.edf_to_egress=704", "low.edf_to_egress: 256 -> 704\n", 0 },
		{ "--low.edf_to_egress=705", "low.edf_to_egress: 256 -> 705 (needs a relaunch)\n", 1 },
		{ "--low.ingress_to_edf=1", "low.ingress_to_edf: 256 -> 1 (needs a relaunch)\n", 1 },
		{ "--instance=x", "instance: default -> x (needs a relaunch)\n", 1 },
		{ "--payload_bytes=1500B", "payload_bytes: 1536B -> 1500B (needs a relaunch)\n", 1 },
		{ "--work=simulate", "work: none -> simulate (needs a relaunch)\n", 1 },
		{ "--work=plugin:a.so", "work: none -> plugin:a.so (needs a relaunch)\n", 1 },
		{ "--socket_buffer=1MiB", "socket_buffer: 16MiB -> 1MiB (needs a relaunch)\n", 1 },
		{ "--cpus=0,1,1", "cpus: auto -> 0,1,1 (needs a relaunch)\n", 1 },
		{ "--cpus=7", "cpus: auto -> 7 (needs a relaunch)\n", 1 },
		{ "--cpus=none", "cpus: auto -> none (needs a relaunch)\n", 1 },
		{ "--fifo=on", "fifo: auto -> on (needs a relaunch)\n", 1 },
		{ "--high.send=[::1]:7 1.2.3.4:5",
		  "high.send: 127.0.0.1:9080 -> [::1]:7 1.2.3.4:5 (needs a relaunch)\n", 1 },
		{ "--high.listen=[::]:7", "high.listen: 127.0.0.1:8080 -> [::]:7 (needs a relaunch)\n", 1 },
	};
	struct config defaults, c;
	char text[TEXT_BYTES];

	config_defaults(&defaults);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = argument_accepted(cases[i].argument);
		CU_ASSERT_EQUAL(changes(&defaults, &c, text), cases[i].relaunches);
		check_equal(text, cases[i].line);
	}
}

static void other_classes_or_another_order_of_them_need_a_relaunch(void)
{
	static const char b_text[] = "[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\n";
	char text[TEXT_BYTES], both[TEXT_BYTES], reverse[TEXT_BYTES];
	struct config a = accepted(CLASS_TEXT), b = accepted(b_text), ab, ba;

	snprintf(both, sizeof(both), "%s%s", CLASS_TEXT, b_text);
	snprintf(reverse, sizeof(reverse), "%s%s", b_text, CLASS_TEXT);
	ab = accepted(both);
	ba = accepted(reverse);
	CU_ASSERT_EQUAL(changes(&a, &b, text), 2);
	check_equal(text, "class a: rank 1 -> none (needs a relaunch)\nclass b: none -> rank 1 (needs a relaunch)\n");
	CU_ASSERT_EQUAL(changes(&a, &ab, text), 1);
	check_equal(text, "class b: none -> rank 2 (needs a relaunch)\n");
	CU_ASSERT_EQUAL(changes(&ab, &ba, text), 2);
	check_equal(text,
		    "class a: rank 1 -> rank 2 (needs a relaunch)\nclass b: rank 2 -> rank 1 (needs a relaunch)\n");
	CU_ASSERT_NOT_EQUAL(config_digest(&ab), config_digest(&ba));
}

static void help_has_one_line_for_each_option(void)
{
	char text[TEXT_BYTES] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	int lines = 0;

	CU_ASSERT_PTR_NOT_NULL_FATAL(out);
	config_print_options(out);
	fclose(out);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	CU_ASSERT_EQUAL(lines, N_OPTIONS);
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "--policy="));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "none|10us..1h"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text, "--CLASS.edf_to_egress="));
	CU_ASSERT_PTR_NULL(strstr(text, "(null)"));
}

static void stages_and_policies_have_names(void)
{
	check_equal(stage_name(STAGE_INGRESS), "ingress");
	check_equal(stage_name(STAGE_EDF), "edf");
	check_equal(stage_name(STAGE_EGRESS), "egress");
	check_equal(policy_name(POLICY_EDF), "edf");
	check_equal(policy_name(POLICY_EDF_DROP), "edf-drop");
	check_equal(policy_name(POLICY_GUARDED), "guarded");
	check_equal(policy_name(N_POLICIES), "unknown");
}

static void a_share_is_a_percentage_and_all_fit_into_one_whole(void)
{
	struct config c = argument_accepted("--high.share=70%");

	CU_ASSERT_EQUAL(c.classes[0].share_percent, 70);
	argument_refused("--high.share=70",
			 "command line: --high.share=\"70\": a unit is missing; use a percentage, from 0% to "
			 "100% (for example 0%)");
	argument_refused("--high.share=101%",
			 "command line: --high.share=\"101%\": too large; use a percentage, from 0% to "
			 "100% (for example 0%)");
	c = accepted(CLASS_TEXT "share = 40%\n[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nshare = 60%\n");
	CU_ASSERT_EQUAL(c.classes[1].share_percent, 60);
	refused(CLASS_TEXT "share = 40%\n[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nshare = 61%\n",
		"FILE:8: share = \"61%\": the shares of all classes exceed 100%");
}

static void what_goes_from_a_long_queue_is_the_newest_or_the_largest(void)
{
	CU_ASSERT_EQUAL(argument_accepted("--policy=guarded").evict, EVICT_NEWEST);
	CU_ASSERT_EQUAL(argument_accepted("--evict=largest").evict, EVICT_LARGEST);
	CU_ASSERT_EQUAL(argument_accepted("--low.margin=1ms").classes[2].margin_ns, 1000000);
}

SUITE(config, TEST(a_share_is_a_percentage_and_all_fit_into_one_whole),
      TEST(what_goes_from_a_long_queue_is_the_newest_or_the_largest),
      TEST(the_defaults_are_the_four_classes_of_the_readme), TEST(the_defaults_of_the_pipeline_are_those_of_the_design),
      TEST(an_empty_file_means_the_defaults), TEST(the_file_that_comes_along_says_exactly_the_defaults),
      TEST(the_stress_file_is_the_set_up_of_the_ancestor), TEST(every_pipeline_key_is_read),
      TEST(every_class_key_is_read_and_the_file_replaces_the_default_classes),
      TEST(an_unset_address_is_printed_as_such), TEST(a_scope_is_kept_as_it_was_written),
      TEST(comments_blanks_marks_and_carriage_returns_are_no_part_of_a_value),
      TEST(an_indented_line_is_a_line_of_its_own_and_no_more_of_the_value_before),
      TEST(a_quantity_without_a_unit_is_refused_with_the_units),
      TEST(a_quantity_is_one_whole_number_and_one_unit_in_range),
      TEST(a_limit_is_accepted_in_the_words_it_is_printed_in), TEST(a_count_takes_no_unit),
      TEST(a_choice_names_its_words), TEST(an_instance_is_a_short_plain_word), TEST(cpus_are_auto_none_one_or_three),
      TEST(a_spin_is_one_time_or_three), TEST(an_address_is_numeric_and_has_a_port),
      TEST(an_unknown_key_is_refused_with_the_nearest_one), TEST(an_unknown_section_is_refused),
      TEST(a_class_name_is_a_short_plain_word), TEST(nothing_may_be_given_twice_in_a_file),
      TEST(a_listen_address_belongs_to_one_class_only), TEST(a_class_needs_to_listen_and_to_send),
      TEST(sixteen_classes_are_accepted_and_seventeen_are_not), TEST(a_quantum_holds_the_longest_datagram),
      TEST(a_sleeping_stage_must_not_look_hung), TEST(a_line_that_is_nothing_is_refused_before_what_follows_it),
      TEST(a_hash_comment_after_a_value_is_explained), TEST(a_line_may_have_197_bytes_and_no_more),
      TEST(a_file_with_a_nul_byte_is_refused), TEST(a_file_that_cannot_be_opened_is_named_with_the_reason),
      TEST(an_argument_wins_over_the_file_and_the_last_over_those_before),
      TEST(an_argument_that_is_no_option_is_refused), TEST(a_refusal_is_one_printable_line_that_fits),
      TEST(a_lane_holds_both_limits_and_a_batch),
      TEST(the_digest_changes_with_what_the_segment_is_made_of_and_with_nothing_else),
      TEST(each_change_is_explained_and_those_that_need_a_relaunch_are_counted),
      TEST(other_classes_or_another_order_of_them_need_a_relaunch), TEST(help_has_one_line_for_each_option),
      TEST(what_cannot_receive_is_refused_with_what_to_do), TEST(what_cannot_be_sent_to_is_refused_with_what_to_do),
      TEST(an_address_has_its_own_form_and_a_link_is_named), TEST(what_a_class_sends_to_itself_is_a_loop),
      TEST(a_wildcard_receives_what_is_sent_to_loopback),
      TEST(classes_that_send_to_each_other_in_a_circle_are_a_loop_and_a_chain_is_none),
      TEST(a_circle_of_all_classes_is_found), TEST(an_address_of_this_machine_behind_a_wildcard_is_a_loop_too),
      TEST(a_margin_leaves_some_of_the_budget), TEST(work_that_takes_longer_than_a_hang_is_refused_unless_it_is_sliced),
      TEST(addresses_go_on_in_an_indented_line), TEST(eight_of_the_longest_addresses_fit),
      TEST(a_list_of_addresses_that_goes_on_is_judged_as_one),
      TEST(what_may_pass_is_told_apart_from_what_the_text_says),
      TEST(a_file_given_by_descriptor_is_read_again_and_again_under_its_own_name),
      TEST(a_config_behind_links_is_the_one_they_lead_to_now),
      TEST(a_launch_is_refused_for_a_plugin_that_is_not_there_and_a_load_is_not), TEST(stages_and_policies_have_names))
