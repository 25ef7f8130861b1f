/* lookup.c - the configuration that counts when nobody names one. */
#include "lookup.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_BYTES (PATH_BYTES + 16)
#define OF_MACHINE "/etc/ontime/ontime.conf"

/* Whether `name` is there below top; its path is in path. */
static int is_below(const char *top, const char *name, char path[LINE_BYTES])
{
	return snprintf(path, LINE_BYTES, "%s/%s", top, name) < LINE_BYTES && access(path, F_OK) == 0;
}

void lookup_top(char top[PATH_BYTES])
{
	ssize_t n = readlink("/proc/self/exe", top, PATH_BYTES - 1);
	char launch[LINE_BYTES];

	top[n > 0 ? n : 0] = '\0';
	for (char *slash = strrchr(top, '/'); slash; slash = strrchr(top, '/')) {
		*slash = '\0';
		if (is_below(top, "run/launch.sh", launch))
			return;
	}
	strcpy(top, ".");
}

/* What make install wrote into the shell's file of paths. False: there is none, or it does not say. */
static int read_installed(const char *file, char path[PATH_BYTES])
{
	FILE *in = fopen(file, "re");
	char line[LINE_BYTES];
	int found = 0;

	while (in && !found && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		found = strncmp(line, "config=/", 8) == 0;
	}
	if (in)
		fclose(in);
	if (found)
		snprintf(path, PATH_BYTES, "%.*s", PATH_BYTES - 1, line + 7);
	return found;
}

const char *lookup_config(const char *given, char path[PATH_BYTES])
{
	char top[PATH_BYTES], file[LINE_BYTES];

	if (given)
		return given;
	lookup_top(top);
	if (is_below(top, "run/supervise/paths.sh", file) && read_installed(file, path))
		return path;
	if (access(OF_MACHINE, F_OK) == 0)
		return strcpy(path, OF_MACHINE);
	if (!is_below(top, "run/ontime.conf", file) || strlen(file) >= PATH_BYTES)
		return NULL;
	return strcpy(path, file);
}
