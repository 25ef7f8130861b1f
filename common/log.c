/* log.c - one line to stderr, for a person: see log.h. */
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum level { LEVEL_UNREAD, LEVEL_ERROR, LEVEL_WARNING, LEVEL_INFO, LEVEL_DEBUG };

static _Thread_local const char *name = "ontime"; /* per thread: a test runs all stages in one process */
static _Thread_local enum level shown = LEVEL_UNREAD;
static _Thread_local int is_service;
static _Thread_local struct log_copy *copy;

/* A descriptor below 3 that was closed would be given to a socket or to the segment, and log lines written there. */
static void occupy_standard_fds(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

/*
 * What was printed, and nobody got, is told: a script goes by the exit status. A reader that is gone has seen enough.
 */
static void check_output(void)
{
	int lost = ferror(stdout), flushed = fflush(stdout), err = flushed ? errno : EIO;

	if ((!lost && !flushed) || err == EPIPE)
		return;
	log_error("write to standard output: %s: the output is not complete", strerror(err));
	_exit(1);
}

static void check_output_at_exit(void)
{
	static atomic_flag is_registered = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set_explicit(&is_registered, memory_order_relaxed)) /* relaxed: only a flag */
		atexit(check_output);
}

void log_set_name(const char *new_name)
{
	name = new_name;
	occupy_standard_fds();
	check_output_at_exit();
}

void log_set_service_name(const char *new_name)
{
	log_set_name(new_name);
	is_service = 1;
}

static enum level read_level(void)
{
	const char *text = getenv("ONTIME_LOG");

	if (text && strcmp(text, "error") == 0)
		return LEVEL_ERROR;
	if (text && (strcmp(text, "warning") == 0 || strcmp(text, "warn") == 0))
		return LEVEL_WARNING;
	if (text && strcmp(text, "debug") == 0)
		return LEVEL_DEBUG;
	return LEVEL_INFO;
}

/* append_printf - add to line[LOG_LINE_BYTES], leaving room for the newline; returns the new length. */
__attribute__((format(printf, 3, 0))) static size_t append_printf(char *line, size_t len, const char *format,
								  va_list args)
{
	size_t room = LOG_LINE_BYTES - 1 - len;
	int wrote = vsnprintf(line + len, room, format, args);

	if (wrote < 0)
		return len;
	return (size_t)wrote < room ? len + (size_t)wrote : len + room - 1;
}

__attribute__((format(printf, 3, 4))) static size_t append(char *line, size_t len, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	len = append_printf(line, len, format, args);
	va_end(args);
	return len;
}

/* Does the journal read what is written to the file that this is the state of? systemd.exec(5), $JOURNAL_STREAM. */
static int is_journal(const struct stat *st)
{
	const char *text = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;

	return text && S_ISSOCK(st->st_mode) && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
	       device == st->st_dev && inode == st->st_ino;
}

static size_t append_time(char *line)
{
	uint64_t now = real_ns();
	time_t seconds = (time_t)(now / NS_PER_S);
	struct tm at;
	char text[32];

	if (!gmtime_r(&seconds, &at) || !strftime(text, sizeof(text), "%FT%T", &at))
		return 0;
	return append(line, 0, "%s.%03uZ ", text, (unsigned int)(now % NS_PER_S / NS_PER_MS));
}

void log_prepare(void)
{
	char line[LOG_LINE_BYTES];

	append_time(line);
}

/*
 * What the reader of a line does not know: a file is read the morning after, the journal knows the time, and whoever
 * is at a terminal has just typed the command. A reader at the end of a pipe adds what it wants.
 */
static size_t append_origin(char *line, enum level level)
{
	static const char *const words[] = {
		[LEVEL_ERROR] = "error ", [LEVEL_WARNING] = "warning ", [LEVEL_DEBUG] = "debug "
	};
	static const int priorities[] = { [LEVEL_ERROR] = 3, [LEVEL_WARNING] = 4, [LEVEL_INFO] = 6, [LEVEL_DEBUG] = 7 };
	struct stat st;
	size_t len;

	if (fstat(STDERR_FILENO, &st) < 0)
		return 0;
	if (is_journal(&st))
		return append(line, 0, "<%d>", priorities[level]);
	if (!S_ISREG(st.st_mode) || !(is_service || getenv("ONTIME_LOG_FILE")))
		return 0;
	len = append_time(line);
	return append(line, len, "%s", words[level] ? words[level] : "");
}

/*
 * Its directory may be gone, and what is there now another user's: no link is followed, and only a file of this user's
 * taken.
 */
static int open_file(const char *file)
{
	struct open_how how = { .flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK,
				.mode = 0600,
				.resolve = RESOLVE_NO_SYMLINKS };
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how));
	struct stat st;

	if (fd < 0 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1))
		return fd;
	close(fd);
	return -1;
}

const char *log_text_of(int err)
{
	if (err == EMFILE)
		return "Too many open files: raise the limit of open files (ulimit -n, LimitNOFILE= of a unit)";
	if (err == ENFILE)
		return "Too many open files in system: raise the limit of open files (sysctl fs.file-max)";
	return strerror(err);
}

int log_reopen(void)
{
	const char *file = getenv("ONTIME_LOG_FILE");
	struct stat is, was;
	int fd;

	if (!file || (stat(file, &is) == 0 && fstat(STDERR_FILENO, &was) == 0 && is.st_ino == was.st_ino &&
		      is.st_dev == was.st_dev))
		return 0;
	fd = open_file(file);
	if (fd < 0)
		return 0; /* the old one, which nobody may find, is better than none */
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
	return 1;
}

void log_copy(struct log_copy *to)
{
	copy = to;
}

static void add_to_copy(const char *said)
{
	size_t len = strlen(said);

	if (!copy || len + 2 > copy->bytes - copy->len)
		return;
	memcpy(copy->text + copy->len, said, len);
	copy->len += len;
	copy->text[copy->len++] = '\n';
	copy->text[copy->len] = '\0';
}

__attribute__((format(printf, 2, 0))) static void print_line(enum level level, const char *format, va_list args)
{
	char line[LOG_LINE_BYTES], said[LOG_LINE_BYTES];
	int err = errno;
	size_t len;

	if (shown == LEVEL_UNREAD)
		shown = read_level();
	if (level > shown)
		return;
	said[append_printf(said, 0, format, args)] = '\0'; /* first: calls below may end what dlerror(3) has returned */
	add_to_copy(said);
	len = append_origin(line, level);
	len = append(line, len, "%.64s: %s", name, said);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = '?';
	line[len++] = '\n';
	/* One try: a line that cannot be written has nobody left to tell. */
	ssize_t ignored = write(STDERR_FILENO, line, len);

	(void)ignored;
	errno = err;
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(LEVEL_ERROR, format, args);
	va_end(args);
}

void log_warn(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(LEVEL_WARNING, format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(LEVEL_INFO, format, args);
	va_end(args);
}

void log_debug(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(LEVEL_DEBUG, format, args);
	va_end(args);
}
