/* command.c - the command line of a program: one grammar. */
#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "nearest.h"
#include "suites.h"

#define MOST_WORDS 16
#define TEXT_BYTES 512

enum { OPTION_FILE, OPTION_RATE, OPTION_COUNT, OPTION_HOW, OPTION_ONCE, N_COMMAND_OPTIONS };

static const struct command_option table[] = {
	[OPTION_FILE] = { .name = "file", .letter = 'f', .kind = COMMAND_TEXT },
	[OPTION_RATE] = { .name = "rate", .kind = COMMAND_NUMBER, .least = 0.5, .most = 10 },
	[OPTION_COUNT] = { .name = "count", .kind = COMMAND_WHOLE, .least = 1, .most = 100 },
	[OPTION_HOW] = { .name = "how", .kind = COMMAND_WORD, .words = (const char *const[]){ "fast", "slow", NULL } },
	[OPTION_ONCE] = { .name = "once", .kind = COMMAND_FLAG },
};

static struct command tested = {
	.name = "tested", .help = "\1 - a test\n", .options = table, .n_options = N_COMMAND_OPTIONS, .takes_operands = 1
};

/* What was asked for, and what was said. */
static struct {
	const char *file;
	double rate;
	uint64_t count;
	int how, once;
	struct command_line line;
	char words[MOST_WORDS][32], *argv[MOST_WORDS + 1];
	char said[TEXT_BYTES];
} asked;

static size_t key_changes(const char *name)
{
	return strcmp(name, "policy") == 0 || strcmp(name, "high.budget") == 0 ? 0 : nearest_distance(name, "policy");
}

/* The words of a line, split at blanks. */
static int split(const char *text)
{
	int n = 0;

	strcpy(asked.words[n++], "tested");
	while (*text && n < MOST_WORDS) {
		size_t len = strcspn(text, " ");

		snprintf(asked.words[n++], sizeof(asked.words[0]), "%.*s", (int)len, text);
		text += len + (text[len] == ' ');
	}
	for (int i = 0; i < n; i++)
		asked.argv[i] = asked.words[i];
	asked.argv[n] = NULL;
	return n;
}

/* A key and its value in two words have become one, which is the process's for good; here it is not. */
static void forget_made(void)
{
	for (int i = 1; i < asked.line.argc; i++) {
		char *at = asked.line.argv[i];

		if (at < asked.words[0] || at > asked.words[MOST_WORDS - 1])
			free(at);
	}
}

static int read_words(const char *text, const char **operand)
{
	static void *const places[N_COMMAND_OPTIONS] = { [OPTION_FILE] = &asked.file,
							 [OPTION_RATE] = &asked.rate,
							 [OPTION_COUNT] = &asked.count,
							 [OPTION_HOW] = &asked.how,
							 [OPTION_ONCE] = &asked.once };
	int n, status, was = dup(STDERR_FILENO), fd = memfd_create("said", 0);
	ssize_t bytes;

	forget_made();
	memset(&asked, 0, sizeof(asked));
	n = split(text);
	dup2(fd, STDERR_FILENO);
	command_open(&asked.line, &tested, n, asked.argv, places, key_changes);
	status = command_read(&asked.line, operand);
	dup2(was, STDERR_FILENO);
	bytes = pread(fd, asked.said, sizeof(asked.said) - 1, 0);
	asked.said[bytes > 0 ? bytes : 0] = '\0';
	close(was);
	close(fd);
	return status;
}

static int accepts(const char *text)
{
	const char *operand = NULL;

	return read_words(text, &operand) == -1 && asked.said[0] == '\0';
}

static int refuses(const char *text, const char *why)
{
	const char *operand = NULL, *end;

	if (read_words(text, &operand) != COMMAND_USAGE || !strstr(asked.said, why))
		return 0;
	end = strchr(asked.said, '\n');
	return end && end[1] == '\0';
}

static void a_value_is_a_word_of_its_own_or_stands_behind_an_equals_sign(void)
{
	CU_ASSERT(accepts("--rate 2.5 --count=7 --how slow --once --file=a=b"));
	CU_ASSERT(asked.rate == 2.5 && asked.count == 7 && asked.how == 1 && asked.once == 1);
	CU_ASSERT_STRING_EQUAL(asked.file, "a=b");
	CU_ASSERT(accepts("--rate=2.5 --count 7 --how=slow") && asked.rate == 2.5 && asked.count == 7 &&
		  asked.how == 1);
}

static void a_letter_takes_its_value_from_the_same_word_or_the_next(void)
{
	CU_ASSERT(accepts("-f x"));
	CU_ASSERT_STRING_EQUAL(asked.file, "x");
	CU_ASSERT(accepts("-fx"));
	CU_ASSERT_STRING_EQUAL(asked.file, "x");
	CU_ASSERT(accepts("-f --once") && asked.once == 0);
	CU_ASSERT_STRING_EQUAL(asked.file, "--once");
}

static void of_an_option_given_twice_the_last_one_counts(void)
{
	CU_ASSERT(accepts("--count 1 --count=2") && asked.count == 2);
}

static void an_unknown_option_is_refused_with_the_nearest_name(void)
{
	CU_ASSERT(refuses("--raet 5", "--raet: unknown option; did you mean --rate?"));
	CU_ASSERT(refuses("--raet=5", "--raet: unknown option; did you mean --rate?"));
	CU_ASSERT(accepts("--polcy=edf")); /* nearer to a key than to an option: the config says so */
	CU_ASSERT(refuses("--frobnicate", "--frobnicate: unknown option; see tested --help"));
	CU_ASSERT(refuses("-x", "-x: unknown option"));
}

static void a_value_that_is_missing_or_too_much_is_refused(void)
{
	CU_ASSERT(refuses("--rate", "--rate: its value is missing") &&
		  refuses("--rate=", "--rate: its value is missing"));
	CU_ASSERT(refuses("-f", "-f: its value is missing") && refuses("--once=1", "--once: it takes no value"));
	CU_ASSERT(refuses("--policy", "--policy: its value is missing"));
}

static void a_value_out_of_range_is_refused_with_the_range(void)
{
	CU_ASSERT(refuses("--rate 0.4", "--rate 0.4: not a number from 0.5 to 10"));
	CU_ASSERT(refuses("--rate=1x", "--rate 1x: not a number") && refuses("--rate -1", "--rate -1: not a number"));
	CU_ASSERT(refuses("--count 1.5", "--count 1.5: not a whole number from 1 to 100"));
	CU_ASSERT(refuses("--how well", "--how well: not fast or slow"));
}

static void keys_of_the_config_are_collected_as_one_word_each(void)
{
	CU_ASSERT(accepts("--once --policy edf operand --high.budget=3ms") && asked.line.argc == 3);
	CU_ASSERT_STRING_EQUAL(asked.line.argv[1], "--policy=edf");
	CU_ASSERT_STRING_EQUAL(asked.line.argv[2], "--high.budget=3ms");
	CU_ASSERT(accepts("--nonsense=1") && asked.line.argc == 2); /* the config says what is wrong with it */
}

static void behind_two_dashes_no_word_is_an_option(void)
{
	const char *operand = NULL;

	CU_ASSERT(read_words("-- --once", &operand) == -1 && asked.once == 0);
	CU_ASSERT_STRING_EQUAL(operand, "--once");
	tested.takes_command = 1;
	CU_ASSERT(accepts("--once -- --rate") && asked.once == 1 && asked.line.is_at_rest);
	CU_ASSERT_STRING_EQUAL(asked.line.words[asked.line.at], "--rate");
	tested.takes_command = 0;
}

static void one_operand_is_enough_or_none_is_taken(void)
{
	const char *operand = NULL;

	CU_ASSERT(read_words("a --once", &operand) == -1 && strcmp(operand, "a") == 0);
	operand = NULL;
	CU_ASSERT(read_words("-", &operand) == -1 && strcmp(operand, "-") == 0);
	CU_ASSERT(refuses("a b", "b: one is enough"));
	tested.takes_operands = 0;
	CU_ASSERT(refuses("a", "a: not an option"));
	tested.takes_operands = 1;
}

static void a_long_name_is_like_no_other(void)
{
	CU_ASSERT(nearest_distance("rate", "rate") == 0 && nearest_distance("rate", "raet") == 2);
	CU_ASSERT(nearest_distance("a", "a-name-that-is-longer-than-any-option-can-be") > NEAREST_NONE);
}

SUITE(command, TEST(a_value_is_a_word_of_its_own_or_stands_behind_an_equals_sign),
      TEST(a_letter_takes_its_value_from_the_same_word_or_the_next), TEST(of_an_option_given_twice_the_last_one_counts),
      TEST(an_unknown_option_is_refused_with_the_nearest_name), TEST(a_value_that_is_missing_or_too_much_is_refused),
      TEST(a_value_out_of_range_is_refused_with_the_range), TEST(keys_of_the_config_are_collected_as_one_word_each),
      TEST(behind_two_dashes_no_word_is_an_option), TEST(one_operand_is_enough_or_none_is_taken),
      TEST(a_long_name_is_like_no_other))
