/*
 * config_files.c - files and arguments: sections, comments, lines, whose name messages say, and how many errors they
 * tell.
 */
#include <CUnit/CUnit.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "loads.h"
#include "suites.h"

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

static void an_unknown_key_is_refused_with_the_nearest_one(void)
{
	refused("[pipeline]\npolcy = edf\n", "FILE:2: polcy = \"edf\": unknown key; did you mean policy?");
	refused(CLASS_TEXT "bugdet = 1ms\n", "FILE:4: bugdet = \"1ms\": unknown key; did you mean budget?");
	refused("[pipeline]\nfrobnicate = 1\n",
		"FILE:2: frobnicate = \"1\": unknown key; ontime options shows all keys");
	refused("[pipeline]\n= 1\n", "FILE:2:  = \"1\": unknown key; ontime options shows all keys");
	refused("[pipeline]\nbudget = 1ms\n", "FILE:2: budget = \"1ms\": a key of a class, not of [pipeline]");
	refused(CLASS_TEXT "policy = edf\n", "FILE:4: policy = \"edf\": a key of [pipeline], not of a class");
	argument_refused("--polcy=edf", "command line: --polcy=\"edf\": unknown key; did you mean policy?");
	argument_refused("--high.bugdet=1ms", "command line: --high.bugdet=\"1ms\": unknown key; did you mean budget?");
}

static void an_unknown_section_is_refused(void)
{
	refused("[pipelin]\n", "FILE:1: [pipelin]: unknown section; use [pipeline], [class NAME], [dash] or [hosts]");
	refused("[class]\n", "FILE:1: [class]: unknown section; use [pipeline], [class NAME], [dash] or [hosts]");
	refused("[]\n", "FILE:1: []: unknown section; use [pipeline], [class NAME], [dash] or [hosts]");
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

static void a_line_that_is_nothing_is_refused_before_what_follows_it(void)
{
	refused("[pipeline]\nlate\n", "FILE:2: neither a [section], nor key = value, nor a comment");
	refused("[pipeline]\nlate\npolicy = x\n",
		"FILE:2: neither a [section], nor key = value, nor a comment\n"
		"FILE:3: policy = \"x\": unknown choice; use edf, edf-drop or guarded");
	refused("[pipeline]\nlate ; = drop\n", "FILE:2: neither a [section], nor key = value, nor a comment");
	refused("[pipeline]\npolicy = x\nlate\n",
		"FILE:2: policy = \"x\": unknown choice; use edf, edf-drop or guarded\n"
		"FILE:3: neither a [section], nor key = value, nor a comment");
}

static void a_hash_comment_after_a_value_is_explained(void)
{
	refused("[pipeline]\nlate = drop # why\n",
		"FILE:2: late = \"drop # why\": a comment after a value begins with ;");
}

static void a_line_may_have_4671_bytes_and_no_more(void)
{
	char text[TEXT_BYTES] = "[pipeline]\n;";
	size_t start = strlen(text) - 1;

	memset(text + start, ';', 4671);
	strcpy(text + start + 4671, "\nlate = drop\n");
	CU_ASSERT_EQUAL(accepted(text).late, LATE_DROP);
	memset(text + start, ';', 4672);
	strcpy(text + start + 4672, "\nlate = drop\n");
	refused(text, "FILE:2: longer than 4671 bytes; addresses may go on in the next line, indented");
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
	check_equal(why, "/proc/self/mem: cannot be read: Input/output error");
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
	argument_refused("--hihg.budget=1ms",
			 "command line: --hihg.budget=\"1ms\": no class is called \"hihg\"; did you mean high?");
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

static void all_errors_of_a_file_are_told_in_their_order(void)
{
	char why[TEXT_BYTES], text[TEXT_BYTES] =
				      "[pipeline]\npolicy = x\npolcy = edf\n[clas b]\nlisten = 1\n"
				      "[class High]\nbudget = x\n" CLASS_TEXT "budget = 1\nlisten = 127.0.0.1:3\n"
				      "[class a]\nbudget = x\n";

	CU_ASSERT_EQUAL(here(text, "--late=x", why), -EINVAL);
	check_equal(why,
		    "FILE:2: policy = \"x\": unknown choice; use edf, edf-drop or guarded\n"
		    "FILE:3: polcy = \"edf\": unknown key; did you mean policy?\n"
		    "FILE:4: [clas b]: unknown section; use [pipeline], [class NAME], [dash] or [hosts]\n"
		    "FILE:6: [class High]: not a name; use 1 to 15 of a-z, 0-9, _ and -\n"
		    "FILE:11: budget = \"1\": a unit is missing; use ns, us, ms or s, from 10us to 1h (for example "
		    "1ms)\n"
		    "FILE:12: listen = \"127.0.0.1:3\": given twice, first on line 9\n"
		    "FILE:13: [class a]: given twice, first on line 8\n"
		    "command line: --late=\"x\": unknown choice; use send or drop");
}

static void what_is_wrong_together_is_told_where_nothing_else_is_wrong(void)
{
	refused("[pipeline]\nburst = 1KiB\nhung = 300ms\n" CLASS_TEXT
		"budget = 1us\nmargin = 1s\n[class b]\nlisten = 127.0.0.1:3\nsend = 127.0.0.1:4\nbudget = 1ms\nmargin "
		"= 1ms\n",
		"FILE:7: budget = \"1us\": too small; use ns, us, ms or s, from 10us to 1h (for example 1ms)\n"
		"FILE:2: burst = \"1KiB\": less than payload_bytes, 1536B: the longest datagram must fit\n"
		"FILE:3: hung = \"300ms\": less than twice the heartbeat\n"
		"FILE:13: margin = \"1ms\": not below the budget of class b, 1ms: guarded would drop its every packet; "
		"lower the margin, or use another policy");
	refused("[pipeline]\npolicy = x\n" CLASS_TEXT "budget = 10us\n", /* which edf could have */
		"FILE:2: policy = \"x\": unknown choice; use edf, edf-drop or guarded");
}

static void ten_errors_are_told_and_the_rest_is_counted(void)
{
	char text[TEXT_BYTES] = "", lines[TEXT_BYTES] = "", small[110], argument[] = "x";
	char *argv[] = { argument, argument, argument, NULL };
	struct config c;

	for (int i = 1; i <= 13; i++) {
		strcat(text, "x\n");
		if (i <= CONFIG_MOST_REFUSALS)
			snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines),
				 "FILE:%d: neither a [section], nor key = value, nor a comment\n", i);
	}
	strcat(lines, "and 3 more");
	refused(text, lines);
	CU_ASSERT_EQUAL(config_load(&c, NULL, 3, argv, small, sizeof(small)), -EINVAL);
	check_equal(small, "command line: \"x\": not an option; use --KEY=VALUE or --CLASS.KEY=VALUE\nand 1 more");
}

SUITE(config_files, TEST(all_errors_of_a_file_are_told_in_their_order),
      TEST(what_is_wrong_together_is_told_where_nothing_else_is_wrong),
      TEST(ten_errors_are_told_and_the_rest_is_counted),
      TEST(comments_blanks_marks_and_carriage_returns_are_no_part_of_a_value),
      TEST(an_indented_line_is_a_line_of_its_own_and_no_more_of_the_value_before),
      TEST(an_unknown_key_is_refused_with_the_nearest_one), TEST(an_unknown_section_is_refused),
      TEST(a_class_name_is_a_short_plain_word), TEST(nothing_may_be_given_twice_in_a_file),
      TEST(sixteen_classes_are_accepted_and_seventeen_are_not),
      TEST(a_line_that_is_nothing_is_refused_before_what_follows_it), TEST(a_hash_comment_after_a_value_is_explained),
      TEST(a_line_may_have_4671_bytes_and_no_more), TEST(a_file_with_a_nul_byte_is_refused),
      TEST(a_file_that_cannot_be_opened_is_named_with_the_reason),
      TEST(what_may_pass_is_told_apart_from_what_the_text_says),
      TEST(a_file_given_by_descriptor_is_read_again_and_again_under_its_own_name),
      TEST(a_config_behind_links_is_the_one_they_lead_to_now),
      TEST(an_argument_wins_over_the_file_and_the_last_over_those_before),
      TEST(an_argument_that_is_no_option_is_refused), TEST(a_refusal_is_one_printable_line_that_fits))
