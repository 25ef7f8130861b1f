/*
 * config.c - any bytes as a configuration file: it is refused with lines, or accepted; and what is accepted is printed
 * as a file that is read as the same.
 */
#include <stdlib.h>

#include "config/config.h"
#include "input.h"

static void check_refusal(const char *why)
{
	size_t len = strnlen(why, CONFIG_WHY_BYTES);

	must(len > 0 && len < CONFIG_WHY_BYTES && why[len - 1] != '\n' && why[0] != '\n');
}

static void check_printed(const struct config *c)
{
	static struct config again;
	static char why[CONFIG_WHY_BYTES];
	static int fd = -1;
	char name[FILE_NAME_BYTES], *text = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&text, &bytes), *nowhere = fopen("/dev/null", "we");

	must(out && nowhere);
	config_print(c, out);
	must(fclose(out) == 0);
	input_file(&fd, text, bytes, name);
	why[0] = '\0';
	must(config_load(&again, name, 0, NULL, why, sizeof(why)) == 0);
	must(config_explain_changes(c, &again, nowhere) == 0);
	must(config_digest(c) == config_digest(&again));
	fclose(nowhere);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config c;
	static char why[CONFIG_WHY_BYTES];
	static int fd = -1;
	char name[FILE_NAME_BYTES];

	input_file(&fd, data, size, name);
	why[0] = '\0';
	if (config_load(&c, name, 0, NULL, why, sizeof(why)))
		check_refusal(why);
	else
		check_printed(&c);
	return 0;
}
