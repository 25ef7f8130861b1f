/*
 * command.c - any words as the command line of a program that takes the keys of the config too: the options of `load`,
 * then what is left as keys.
 */
#include "config/config.h"
#include "config/table.h"
#include "input.h"
#include "options/load.h"

#define MOST_WORDS 64

/* The words are what NULs divide. Returns how many. */
static int split(char *text, size_t size, char *words[MOST_WORDS + 1])
{
	int n = 0;

	words[n++] = (char *)(uintptr_t) "load";
	for (char *at = text; at < text + size && n < MOST_WORDS; at += strlen(at) + 1)
		words[n++] = at;
	words[n] = NULL;
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	static char why[CONFIG_WHY_BYTES], text[4096];
	static int fd = -1;
	char name[FILE_NAME_BYTES], *words[MOST_WORDS + 1];
	struct command_line line;
	int n, end, turns = 0;

	size = size < sizeof(text) ? size : sizeof(text) - 1;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	n = split(text, size, words);
	command_open(&line, &command, n, words, (void *const[N_COMMAND_OPTIONS]){ 0 }, option_changes);
	while ((end = command_next(&line)) >= 0 || end == COMMAND_OPERAND)
		must(turns++ <= n && (end < 0 || end < N_COMMAND_OPTIONS));
	must(end == COMMAND_END || end == COMMAND_ANSWERED || end == COMMAND_REFUSED);
	must(line.argc >= 1 && line.argc <= n && line.at <= line.n_words + 1);
	if (end != COMMAND_END)
		return 0;
	input_file(&fd, "", 0, name); /* with a file that has no name nobody is asked for hosts */
	config_load(&c, name, line.argc, line.argv, why, sizeof(why));
	return 0;
}
