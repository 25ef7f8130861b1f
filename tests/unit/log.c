/* log.c - what a line begins with, by who reads it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "log.h"
#include "suites.h"

#define TEXT_BYTES 512

static int changes(const struct config *from, const struct config *to, bool tell, char text[TEXT_BYTES])
{
	FILE *f = tmpfile();
	int saved = dup(STDERR_FILENO), relaunches;
	ssize_t n;

	dup2(fileno(f), STDERR_FILENO);
	relaunches = config_log_changes(from, to, tell);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = pread(fileno(f), text, TEXT_BYTES - 1, 0);
	text[n > 0 ? n : 0] = '\0';
	fclose(f);
	return relaunches;
}

static void a_change_of_the_config_is_a_line_and_can_be_counted_in_silence(void)
{
	static struct config from, to;
	char text[TEXT_BYTES];

	log_set_name("unit");
	config_defaults(&from);
	to = from;
	CU_ASSERT_EQUAL(changes(&from, &to, true, text), 0);
	CU_ASSERT_STRING_EQUAL(text, "");
	to.policy = POLICY_EDF;
	to.payload_bytes = 1400;
	CU_ASSERT_EQUAL(changes(&from, &to, true, text), 1);
	CU_ASSERT_STRING_EQUAL(
		text, "unit: payload_bytes: 1536B -> 1400B (needs a relaunch)\nunit: policy: guarded -> edf\n");
	CU_ASSERT_EQUAL(changes(&from, &to, false, text), 1);
	CU_ASSERT_STRING_EQUAL(text, "");
}

/* Two lines into fd, as what standard error is: an error and an information. */
static void log_to(int fd)
{
	int saved = dup(STDERR_FILENO);

	dup2(fd, STDERR_FILENO);
	log_error("it fails");
	log_info("it goes on");
	dup2(saved, STDERR_FILENO);
	close(saved);
}

static void read_back(int fd, char text[TEXT_BYTES])
{
	ssize_t n = read(fd, text, TEXT_BYTES - 1);

	text[n > 0 ? n : 0] = '\0';
}

static void log_to_file(char text[TEXT_BYTES])
{
	FILE *f = tmpfile();

	log_to(fileno(f));
	rewind(f);
	read_back(fileno(f), text);
	fclose(f);
}

static int is_timed(const char *line, const char *rest)
{
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ ";

	for (size_t i = 0; form[i]; i++)
		if (form[i] == 'd' ? line[i] < '0' || line[i] > '9' : line[i] != form[i])
			return 0;
	return strncmp(line + strlen(form), rest, strlen(rest)) == 0;
}

static const char *line_2(const char *text)
{
	const char *end = strchr(text, '\n');

	return end ? end + 1 : "";
}

static void a_tool_that_writes_to_a_file_is_plain(void)
{
	char text[TEXT_BYTES];

	log_set_name("unit");
	unsetenv("ONTIME_LOG_FILE");
	log_to_file(text);
	CU_ASSERT_STRING_EQUAL(text, "unit: it fails\nunit: it goes on\n");
}

static void a_log_file_has_time_and_level(void)
{
	char text[TEXT_BYTES];

	log_set_name("unit");
	setenv("ONTIME_LOG_FILE", "/nonexistent", 1);
	log_to_file(text);
	CU_ASSERT(is_timed(text, "error unit: it fails\n"));
	CU_ASSERT(is_timed(line_2(text), "unit: it goes on\n"));
	unsetenv("ONTIME_LOG_FILE");
}

/* The journal gives a service a socket, and says which; what is turned elsewhere is not the journal's. */
static void the_journal_gets_the_level_as_a_number(void)
{
	char text[TEXT_BYTES], stream[64];
	struct stat st;
	int ends[2];

	log_set_name("unit");
	CU_ASSERT_FATAL(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
	fstat(ends[0], &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_to(ends[0]);
	read_back(ends[1], text);
	CU_ASSERT_STRING_EQUAL(text, "<3>unit: it fails\n<6>unit: it goes on\n");
	log_to(ends[1]); /* another socket */
	read_back(ends[0], text);
	CU_ASSERT_STRING_EQUAL(text, "unit: it fails\nunit: it goes on\n");
	setenv("JOURNAL_STREAM", "nonsense", 1);
	log_to(ends[0]);
	read_back(ends[1], text);
	CU_ASSERT_STRING_EQUAL(text, "unit: it fails\nunit: it goes on\n");
	unsetenv("JOURNAL_STREAM");
	close(ends[0]);
	close(ends[1]);
}

static void a_pipe_gets_the_line_alone(void)
{
	char text[TEXT_BYTES];
	int ends[2];

	log_set_name("unit");
	setenv("ONTIME_LOG_FILE", "/nonexistent", 1);
	CU_ASSERT_FATAL(pipe(ends) == 0);
	log_to(ends[1]);
	read_back(ends[0], text);
	CU_ASSERT_STRING_EQUAL(text, "unit: it fails\nunit: it goes on\n");
	unsetenv("ONTIME_LOG_FILE");
	close(ends[0]);
	close(ends[1]);
}

SUITE(log, TEST(a_tool_that_writes_to_a_file_is_plain), TEST(a_log_file_has_time_and_level),
      TEST(the_journal_gets_the_level_as_a_number), TEST(a_pipe_gets_the_line_alone),
      TEST(a_change_of_the_config_is_a_line_and_can_be_counted_in_silence))
