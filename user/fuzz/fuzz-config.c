// SPDX-License-Identifier: GPL-2.0
/* Any text as a configuration: one that is taken is written as it was read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

static char *written(const struct config *c)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f || !config_write(f, c, NULL))
		abort();
	fclose(f);
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1), *first, *second;
	static FILE *null;
	FILE *keep = stderr;
	struct config *c;

	if (!null)
		null = fopen("/dev/null", "w");
	memcpy(text, data, size);
	text[size] = '\0';
	stderr = null;
	c = config_parse("f", text);
	stderr = keep;
	free(text);
	if (!c)
		return 0;
	first = written(c);
	config_free(c);
	c = config_parse("f", first);
	if (!c)
		abort();
	second = written(c);
	config_free(c);
	if (strcmp(first, second))
		abort();
	free(first);
	free(second);
	return 0;
}
