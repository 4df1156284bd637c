// SPDX-License-Identifier: GPL-2.0
/* A configuration file that isn't there any more, of a link that is up. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/out.h"
#include "bringup/bringup.h"

struct search {
	const char *file;
	char *named;		/* where the services have it, or NULL */
	char title[64];		/* of the first one that came from it */
	unsigned int n;
	bool list;		/* says which there are, too */
};

static bool came_from(const struct record *r, const struct search *s)
{
	return record_is_from(r, s->file) ||
	       (s->named && record_is_from(r, s->named));
}

static void look(const struct config *c, const struct record *r, void *arg)
{
	struct search *s = arg;
	char *from;

	if (came_from(r, s)) {
		if (!s->n++)
			strcpy(s->title, c->link.title);
		if (s->list)
			hint("the link '%s' came from it: cnictl down %s",
			     c->link.title, r->file);
	} else if (s->list) {
		from = record_from(r);
		if (from)
			hint("the link '%s', which is up, came from %s",
			     c->link.title, from);
		free(from);
	}
}

static void search(struct up *u, struct search *s, bool list)
{
	s->list = list;
	s->n = 0;
	record_each(u->rt.fd, NULL, look, s);
}

static void say_what_to_do(struct up *u, struct search *s, const char *path,
			   int error, bool down)
{
	if (down || s->n != 1) {
		/* Several links, or the name is wrong. */
		if (!s->n)
			hint("nothing is known to be up from it");
		search(u, s, true);
		return;
	}
	hint("the link '%s' that came from it goes on as it is", s->title);
	if (error == -ENOENT)
		hint("to have the file again, as what is up: cnictl save '%s' -o %s",
		     s->title, path);
	else
		hint("see what it is and who may read it: ls -ld %s", path);
	hint("to take the link down without it: cnictl down %s", s->file);
}

struct config *gone_config(struct up *u, const char *file, int error, bool down)
{
	struct search s = { .file = file, .named = config_named(file) };
	struct config *c = NULL;
	struct record r;
	const char *path;

	search(u, &s, false);
	record_of(&r, u->rt.fd, s.title);
	path = s.n && s.named && !record_is_from(&r, file) ? s.named : file;
	if (error && down && s.n == 1)
		c = record_read(&r);
	if (c) {
		step_remark(u, "%s %s%s: what goes is what %s has, the note of it when it came up",
			    path,
			    error == -ENOENT ? "is gone" : "can't be read: ",
			    error == -ENOENT ? "" : strerror(-error), r.file);
	} else if (error) {
		err("can't read %s: %s", path, strerror(-error));
		say_what_to_do(u, &s, path, error, down);
	} else if (down && s.n == 1) {
		hint("as it was when it came up: cnictl down %s", r.file);
	}
	free(s.named);
	return c;
}
