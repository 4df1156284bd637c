// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "base/netns.h"
#include "base/out.h"
#include "config/record.h"

void record_of(struct record *r, int fd, const char *title)
{
	char name[200], *at = name;

	memset(r, 0, sizeof(*r));
	snprintf(r->dir, sizeof(r->dir), RUN_DIR "/%" PRIu64,
		 netns_cookie(fd));
	for (; *title && at < name + sizeof(name) - 4; title++) {
		if (isalnum((unsigned char)*title) || strchr("-_", *title))
			*at++ = *title;
		else
			at += sprintf(at, "%%%02x", (unsigned char)*title);
	}
	*at = '\0';
	snprintf(r->file, sizeof(r->file), "%s/%s.conf", r->dir, name);
	snprintf(r->stock, sizeof(r->stock), "%s/%s.no-offload", r->dir, name);
	snprintf(r->from, sizeof(r->from), "%s/%s.from", r->dir, name);
}

struct config *record_read(const struct record *r)
{
	FILE *f = fopen(r->file, "re");
	char *text = f ? read_whole(f, NULL) : NULL;
	struct config *c = NULL;

	if (text)
		c = config_parse(r->file, text);
	free(text);
	if (f)
		fclose(f);
	return c;
}

static int write_text(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (!f)
		return -errno;
	fputs(text, f);
	return fclose(f) ? -errno : 0;
}

void record_renamed(struct record *r, int fd, const struct config *old)
{
	struct record o;

	record_of(&o, fd, old->link.title);
	strcpy(r->was, o.file);
}

/* @file: a link's, with what is beside it. */
static int forget(const char *file)
{
	static const char * const suffixes[] = { "no-offload", "from" };
	char beside[sizeof(((struct record *)0)->stock)];
	unsigned int i;

	for (i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
		snprintf(beside, sizeof(beside), "%.*s%s",
			 (int)(strlen(file) - strlen("conf")), file,
			 suffixes[i]);
		unlink(beside);
	}
	return unlink(file) && errno != ENOENT ? -errno : 0;
}

void record_forget_old(struct record *r)
{
	if (*r->was)
		forget(r->was);
}

bool record_is_stock(const struct record *r)
{
	return !access(r->stock, F_OK);
}

/*
 * One path for a file, from wherever it's named and whether it's there or not;
 * for free().
 */
static char *whole_path(const char *file)
{
	const char *slash = strrchr(file, '/');
	char *dir, *real, *path;

	dir = slash ? strndup(file, slash - file + 1) : strdup(".");
	real = dir ? realpath(dir, NULL) : NULL;
	if (!real && *file != '/')
		real = getcwd(NULL, 0);
	else if (slash && real)
		file = slash + 1;
	if (asprintf(&path, "%s%s%s", real ? real : "",
		     real && strcmp(real, "/") ? "/" : "", file) < 0)
		path = xstrdup(file);
	free(dir);
	free(real);
	return path;
}

char *record_from(const struct record *r)
{
	FILE *f = fopen(r->from, "re");
	char *path = f ? read_whole(f, NULL) : NULL;

	if (f)
		fclose(f);
	return path;
}

bool record_is_from(const struct record *r, const char *file)
{
	char *from = record_from(r), *path = whole_path(file);
	bool same = from && !strcmp(from, path);

	free(from);
	free(path);
	return same;
}

int record_write(const struct record *r, const char *text, const char *file,
		 bool stock)
{
	char new[sizeof(r->file) + 4], *path;
	int rc;

	if (!text)
		return forget(r->file);
	if (!stock)
		unlink(r->stock);
	mkdir(RUN_DIR, 0755);
	mkdir(r->dir, 0700);
	if (stock) {
		rc = write_text(r->stock, "");
		if (rc)
			return rc;
	}
	path = whole_path(file);
	rc = write_text(r->from, path);
	free(path);
	if (rc)
		return rc;
	snprintf(new, sizeof(new), "%s.new", r->file);
	rc = write_text(new, text);
	if (!rc && rename(new, r->file))
		rc = -errno;
	if (rc)
		unlink(new);
	return rc;
}

/* The next one of a folder but this link's; NULL at the end. */
static struct config *next_record(DIR *dir, const char *path,
				  const struct record *but)
{
	struct config *c = NULL;
	struct dirent *e;
	struct record r;
	size_t len;

	while (dir && !c && (e = readdir(dir))) {
		len = strlen(e->d_name);
		if (len <= 5 || strcmp(e->d_name + len - 5, ".conf"))
			continue;
		snprintf(r.file, sizeof(r.file), "%s/%s", path, e->d_name);
		if (!but || (strcmp(r.file, but->file) &&
			     strcmp(r.file, but->was)))
			c = record_read(&r);
	}
	return c;
}

static unsigned int uses_of(const struct config *c, const char *dev)
{
	unsigned int i, uses = 0;

	if (!strcmp(c->link.ifname, dev))
		uses |= RECORD_LINK;
	if (!strcmp(c->link.device, dev))
		uses |= RECORD_LOWER;
	for (i = 0; i < c->n_tunnels; i++)
		if (!strcmp(c->tunnels[i].ifname, dev))
			uses |= RECORD_TUNNEL;
	for (i = 0; i < c->n_ports; i++)
		if (!strcmp(c->ports[i].ifname, dev))
			uses |= RECORD_PORT;
	if (c->link.xdp_auto && uses & (RECORD_PORT | RECORD_LOWER))
		uses |= RECORD_XDP;
	return uses;
}

const char *record_user(const struct record *r, const char *dev,
			unsigned int uses)
{
	static char title[sizeof(((struct config_link *)0)->title)];
	DIR *dir = opendir(r->dir);
	bool found = false;
	struct config *c;

	while (!found && (c = next_record(dir, r->dir, r))) {
		found = uses_of(c, dev) & uses;
		strcpy(title, c->link.title);
		config_free(c);
	}
	if (dir)
		closedir(dir);
	return found ? title : NULL;
}

static bool is_addr(const struct addr *a, const struct addr *b)
{
	return addr_same(a, b) && a->len == b->len;
}

static bool has_addr(const struct config *c, const char *dev,
		     const struct addr *a)
{
	const struct config_tunnel *t;
	bool has = false;

	if (!strcmp(c->link.ifname, dev))
		has = is_addr(&c->link.local4, a) ||
		      is_addr(&c->link.local6, a);
	for (t = c->tunnels; t < c->tunnels + c->n_tunnels; t++)
		if (!strcmp(t->ifname, dev))
			has |= is_addr(&t->address4, a) ||
			       is_addr(&t->address6, a) ||
			       is_addr(&t->link_local, a);
	return has;
}

bool record_has_addr(const struct record *r, const char *dev,
		     const struct addr *a)
{
	DIR *dir = opendir(r->dir);
	bool has = false;
	struct config *c;

	while (!has && (c = next_record(dir, r->dir, r))) {
		has = has_addr(c, dev, a);
		config_free(c);
	}
	if (dir)
		closedir(dir);
	return has;
}

void record_each(int fd, const struct record *but,
		 void (*fn)(const struct config *c, const struct record *r,
			    void *arg),
		 void *arg)
{
	struct config *c;
	struct record r;
	DIR *dir;

	record_of(&r, fd, "");
	dir = opendir(r.dir);
	while ((c = next_record(dir, r.dir, but))) {
		record_of(&r, fd, c->link.title);
		fn(c, &r, arg);
		config_free(c);
	}
	if (dir)
		closedir(dir);
}

struct config *record_find(int fd, const char *name, bool by_title)
{
	struct config *c, *found = NULL;
	unsigned int n = 0;
	struct record r;
	DIR *dir;

	record_of(&r, fd, "");
	dir = opendir(r.dir);
	while ((c = next_record(dir, r.dir, NULL))) {
		if (name && strcmp(name, by_title ? c->link.title :
						    c->link.ifname)) {
			config_free(c);
			continue;
		}
		config_free(found);
		found = c;
		n++;
	}
	if (dir)
		closedir(dir);
	if (n == 1)
		return found;
	config_free(found);
	return NULL;
}
