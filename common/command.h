/*
 * command.h - the command line of a program: one grammar for all of them, one table each.
 *
 * Rules:   `--key value` and `--key=value`, `-c VALUE` and `-cVALUE` for an option with a letter; `--` ends the
 *          options.
 *          Of an option that is given twice the last one counts. A program that takes the keys of the config has them
 *          in both spellings too. A wrong word is one line with the nearest known name, and exit status 2.
 *          The table is run/options/NAME.options; run/options/generate.sh makes a header of it, which one source of the
 *          program includes, and the help text, the man page's options and the shells' completion.
 *          Scripts read the same table (run/options/parse.sh).
 * Memory:  argv is reordered: the keys of the config end up in front. A key and its value in two words become one,
 *          which is never freed.
 */
#ifndef ONTIME_COMMAND_H
#define ONTIME_COMMAND_H

#include <stddef.h>

enum command_kind {
	COMMAND_FLAG, /* an int becomes 1 */
	COMMAND_TEXT, /* a const char * */
	COMMAND_NUMBER, /* a double from least to most */
	COMMAND_WHOLE, /* a uint64_t from least to most */
	COMMAND_WORD, /* one of words; an int becomes its index */
};

struct command_option {
	const char *name;
	char letter; /* 0: none */
	enum command_kind kind;
	double least, most;
	const char *const *words; /* ended by NULL */
};

struct command {
	const char *name; /* as it is typed: "ontime load" */
	const char *help; /* \1 stands for the name */
	const struct command_option *options;
	int n_options;
	int takes_operands;
	int takes_command; /* "--" ends it, and what follows is for another program */
};

/* What command_next() returns instead of an option's index. */
enum {
	COMMAND_END = -1, /* no word is left; words[at] begins the command, if is_at_rest */
	COMMAND_OPERAND = -2, /* it is in value */
	COMMAND_ANSWERED = -3, /* --help or --version was printed */
	COMMAND_REFUSED = -4, /* a line was printed */
};

#define COMMAND_USAGE 2 /* the exit status of what was refused */

struct command_line {
	const struct command *command;
	void *const *places; /* by index: where the value of an option goes; NULL: command_next() returns the option */
	/* changes that make a key of the config of it, 0: it is one; NULL: the program takes none */
	size_t (*key_changes)(const char *name);
	const char *value;
	int argc; /* of the words below */
	char **argv; /* the program's name, and the keys of the config as --KEY=VALUE */
	int is_at_rest; /* behind "--" */
	int at, n_words; /* the next word, and how many there are */
	char **words;
};

/* command_open - begin; argv stays in use. */
void command_open(struct command_line *l, const struct command *command, int argc, char **argv, void *const *places,
		  size_t (*key_changes)(const char *name));

/* command_next - take words until one is the caller's to act on. */
int command_next(struct command_line *l);

/*
 * command_read - all words, for a program that needs to act on none: at most one operand, which goes to *operand.
 * -1: go on, else the exit status.
 */
int command_read(struct command_line *l, const char **operand);

/* command_status - what an end other than COMMAND_END means for the process: its exit status. */
int command_status(int end);

#endif
