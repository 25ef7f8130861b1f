/* print.c - a configuration as a file. */
#include "table.h"

/* Addresses have a line each, since a line has a limit. */
static void print_value(const struct option *o, const char *value, FILE *out)
{
	int is_list =
		o->kind == &kind_listen || o->kind == &kind_send || o->kind == &kind_allow || o->kind == &kind_deny;

	fprintf(out, "%s = ", o->key);
	for (const char *at = value; *at; at++) {
		if (*at == ' ' && is_list)
			fputs("\n\t", out);
		else
			putc(*at, out);
	}
	putc('\n', out);
}

static void print_section(enum scope scope, const void *base, FILE *out)
{
	char value[VALUE_BYTES];

	for (int i = 0; i < n_options; i++)
		if (options[i].scope == scope && value_format(&options[i], base, value)[0])
			print_value(&options[i], value, out);
}

void config_print(const struct config *c, FILE *out)
{
	fputs("[pipeline]\n", out);
	print_section(SCOPE_PIPELINE, c, out);
	if (c->n_dash_listen || c->dash_allow_host[0] || c->dash_token[0]) {
		fputs("\n[dash]\n", out);
		print_section(SCOPE_DASH, c, out);
	}
	for (uint32_t i = 0; i < c->n_classes; i++) {
		fprintf(out, "\n[class %s]\n", c->classes[i].name);
		print_section(SCOPE_CLASS, &c->classes[i], out);
	}
}
