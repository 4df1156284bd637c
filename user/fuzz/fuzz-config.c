// SPDX-License-Identifier: GPL-2.0
/*
 * Any text as a configuration: one that is taken is written as it was read, and
 * has nothing in it that would begin a line in another program's file.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "config/config.h"

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

static void check_string(const char *s)
{
	char *copy;

	if (!s)
		return;
	copy = xstrdup(s);
	out_clean(copy);
	if (strcmp(s, copy) || strchr(s, '\t'))
		abort();
	free(copy);
}

static void check_strings(const struct config *c)
{
	unsigned int i;

	check_string(c->link.title);
	check_string(c->link.device);
	check_string(c->link.ifname);
	check_string(c->bgp.password);
	check_string(c->bgp.password_file);
	check_string(c->link.statics.file);
	for (i = 0; i < c->n_tunnels; i++) {
		check_string(c->tunnels[i].ifname);
		check_string(c->tunnels[i].password);
		check_string(c->tunnels[i].password_file);
		check_string(c->tunnels[i].statics.file);
	}
	for (i = 0; i < c->n_ports; i++)
		check_string(c->ports[i].ifname);
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
	check_strings(c);
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
