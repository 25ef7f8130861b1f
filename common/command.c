/* command.c - the command line of a program. */
#include "command.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"
#include "log.h"
#include "nearest.h"
#include "version.h"

#define NAME_BYTES 64

/* In one piece, so that others can read it in the file of a program that runs (version_of in run/supervise/lib.sh). */
#define MARK "ONTIME_VERSION="
__attribute__((used)) static const char version[] = MARK ONTIME_VERSION;

void command_open(struct command_line *l, const struct command *command, int argc, char **argv, void *const *places,
		  size_t (*key_changes)(const char *name))
{
	*l = (struct command_line){ .command = command,
				    .places = places,
				    .key_changes = key_changes,
				    .argc = 1,
				    .argv = argv,
				    .at = 1,
				    .n_words = argc,
				    .words = argv };
}

static void print_help(const struct command *c)
{
	for (const char *at = c->help; *at; at++) {
		if (*at == '\1')
			fputs(c->name, stdout);
		else
			putchar(*at);
	}
}

static int refuse_name(const struct command_line *l, const char *shown, const char *name)
{
	const char *best = NULL;
	size_t least = NEAREST_NONE;

	for (int i = 0; i < l->command->n_options; i++)
		if (nearest_is_better(name, l->command->options[i].name, &least))
			best = l->command->options[i].name;
	if (best)
		log_error("%s: unknown option; did you mean --%s? See %s --help", shown, best, l->command->name);
	else
		log_error("%s: unknown option; see %s --help", shown, l->command->name);
	return COMMAND_REFUSED;
}

static int refuse_missing(const struct command_line *l, const char *shown)
{
	log_error("%s: its value is missing; see %s --help", shown, l->command->name);
	return COMMAND_REFUSED;
}

static int refuse_word(const char *shown, const struct command_option *o, const char *value)
{
	char list[256] = "";
	size_t len = 0;

	for (int i = 0; o->words[i] && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i == 0		  ? ""
					: o->words[i + 1] ? ", "
							  : " or ",
					o->words[i]);
	log_error("%s %s: not %s", shown, value, list);
	return COMMAND_REFUSED;
}

static int store_number(const char *shown, const struct command_option *o, const char *value, void *place)
{
	int is_whole = o->kind == COMMAND_WHOLE;
	double number;

	if (decimal_real(value, o->least, o->most, &number) || (is_whole && number != (double)(uint64_t)number)) {
		log_error("%s %s: not a %snumber from %.10g to %.10g", shown, value, is_whole ? "whole " : "", o->least,
			  o->most);
		return COMMAND_REFUSED;
	}
	if (is_whole && place)
		*(uint64_t *)place = (uint64_t)number;
	else if (place)
		*(double *)place = number;
	return 0;
}

/* What was given for an option is right, and goes where it belongs. 0, or COMMAND_REFUSED. */
static int store(const char *shown, const struct command_option *o, const char *value, void *place)
{
	int word = 0;

	if (o->kind == COMMAND_NUMBER || o->kind == COMMAND_WHOLE)
		return store_number(shown, o, value, place);
	if (o->kind == COMMAND_WORD) {
		while (o->words[word] && strcmp(o->words[word], value) != 0)
			word++;
		if (!o->words[word])
			return refuse_word(shown, o, value);
	}
	if (place && o->kind == COMMAND_TEXT)
		*(const char **)place = value;
	else if (place)
		*(int *)place = o->kind == COMMAND_FLAG ? 1 : word;
	return 0;
}

/* Option `i`, with what stood behind it in the same word, or NULL. `shown` is how it was typed. */
static int take_option(struct command_line *l, int i, const char *shown, const char *attached)
{
	const struct command_option *o = &l->command->options[i];
	void *place = l->places ? l->places[i] : NULL;

	if (o->kind == COMMAND_FLAG && attached) {
		log_error("%s: it takes no value; see %s --help", shown, l->command->name);
		return COMMAND_REFUSED;
	}
	l->value = attached;
	if (o->kind != COMMAND_FLAG) {
		if (!attached && l->at < l->n_words)
			l->value = l->words[l->at++];
		if (!l->value || !l->value[0])
			return refuse_missing(l, shown);
	}
	if (store(shown, o, l->value, place))
		return COMMAND_REFUSED;
	return place ? COMMAND_END : i;
}

static int keep_setting(struct command_line *l, char *word)
{
	l->argv[l->argc++] = word;
	return COMMAND_END;
}

/* A key of the config: `name` without dashes and value, `word` as it was typed. */
static int take_key(struct command_line *l, const char *name, char *word, int has_value)
{
	char *both;

	if (has_value)
		return keep_setting(l, word);
	if (l->at >= l->n_words)
		return refuse_missing(l, word);
	if (asprintf(&both, "--%s=%s", name, l->words[l->at++]) < 0) {
		log_error("%s: out of memory", word);
		return COMMAND_REFUSED;
	}
	return keep_setting(l, both);
}

/* More than any key of the config? */
static int is_like_own(const struct command_line *l, const char *name)
{
	size_t least = l->key_changes(name) + 1; /* as like as a key: then it is */

	least = least < NEAREST_NONE ? least : NEAREST_NONE;
	for (int i = 0; i < l->command->n_options; i++)
		if (nearest_is_better(name, l->command->options[i].name, &least))
			return 1;
	return 0;
}

static int take_long(struct command_line *l, char *word)
{
	size_t len = strcspn(word, "=");
	const char *attached = word[len] ? word + len + 1 : NULL;
	char shown[NAME_BYTES];
	const char *name = shown + 2;

	if (len >= sizeof(shown))
		return refuse_name(l, word, word);
	snprintf(shown, sizeof(shown), "%.*s", (int)len, word);
	if (!attached && strcmp(name, "help") == 0) {
		print_help(l->command);
		return COMMAND_ANSWERED;
	}
	if (!attached && strcmp(name, "version") == 0) {
		printf("ontime %s\n", version + strlen(MARK));
		return COMMAND_ANSWERED;
	}
	for (int i = 0; i < l->command->n_options; i++)
		if (strcmp(name, l->command->options[i].name) == 0)
			return take_option(l, i, shown, attached);
	if (l->key_changes && l->key_changes(name) == 0)
		return take_key(l, name, word, attached != NULL);
	if (l->key_changes && attached && !is_like_own(l, name))
		return keep_setting(l, word); /* the config says what is wrong with it, and what was meant */
	return refuse_name(l, shown, name);
}

static int take_letter(struct command_line *l, char *word)
{
	char shown[] = { '-', word[1], '\0' };

	if (strcmp(word, "-h") == 0) {
		print_help(l->command);
		return COMMAND_ANSWERED;
	}
	for (int i = 0; i < l->command->n_options; i++)
		if (l->command->options[i].letter == word[1])
			return take_option(l, i, shown, word[2] ? word + 2 : NULL);
	return refuse_name(l, word, word + 1);
}

/* COMMAND_END: it was taken. */
static int take_word(struct command_line *l, char *word)
{
	if (!l->is_at_rest && word[0] == '-' && word[1] == '-')
		return take_long(l, word);
	if (!l->is_at_rest && word[0] == '-' && word[1])
		return take_letter(l, word);
	if (l->command->takes_operands) {
		l->value = word;
		return COMMAND_OPERAND;
	}
	log_error("%s: not an option, and nothing else is taken; see %s --help", word, l->command->name);
	return COMMAND_REFUSED;
}

int command_next(struct command_line *l)
{
	while (l->at < l->n_words) {
		char *word = l->words[l->at++];
		int taken;

		if (strcmp(word, "--") == 0 && !l->is_at_rest) {
			l->is_at_rest = 1;
			if (l->command->takes_command)
				return COMMAND_END;
			continue;
		}
		taken = take_word(l, word);
		if (taken != COMMAND_END)
			return taken;
	}
	return COMMAND_END;
}

int command_read(struct command_line *l, const char **operand)
{
	int end;

	while ((end = command_next(l)) == COMMAND_OPERAND) {
		if (*operand) {
			log_error("%s: one is enough; see %s --help", l->value, l->command->name);
			return COMMAND_USAGE;
		}
		*operand = l->value;
	}
	return end == COMMAND_END ? -1 : command_status(end);
}

int command_status(int end)
{
	return end == COMMAND_REFUSED ? COMMAND_USAGE : 0;
}
