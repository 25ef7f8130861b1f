/* instance.c - which instance is meant. */
#include "instance.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "value.h"

#define LINE_BYTES 256

/* The value of a line `instance = NAME`, cut out of it; NULL: it is another line. */
static char *value_of(char *line)
{
	char *at = line + strspn(line, " \t");

	if (strncmp(at, "instance", 8) != 0)
		return NULL;
	at += 8;
	at += strspn(at, " \t");
	if (*at != '=' && *at != ':')
		return NULL;
	at++;
	at += strspn(at, " \t");
	at[strcspn(at, " \t\r\n;")] = '\0';
	return at;
}

static int read_name(const char *file, char name[LINE_BYTES])
{
	FILE *in = fopen(file, "re");
	char line[LINE_BYTES];
	int err = 0;

	strcpy(name, "default");
	if (!in)
		return -errno;
	while (fgets(line, sizeof(line), in)) {
		const char *value = value_of(line);

		if (value)
			strcpy(name, value);
	}
	if (ferror(in))
		err = -EIO;
	fclose(in);
	return err;
}

int instance_choose(char name[INSTANCE_NAME_BYTES], const char *given, const char *file)
{
	char read[LINE_BYTES] = "default", reason[REASON_BYTES];
	int err = !given && file ? read_name(file, read) : 0;

	if (err) {
		log_error("%s: %s; name the instance with -i", file, log_text_of(-err));
		return -EINVAL;
	}
	if (!given)
		given = read;
	if (value_check_name(given, INSTANCE_NAME_BYTES - 1, reason)) { /* it becomes part of paths */
		log_error("-i %s: %s", given, reason);
		return -EINVAL;
	}
	strcpy(name, given);
	return 0;
}
