// SPDX-License-Identifier: GPL-2.0
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "out.h"
#include "record.h"

#define RUN_DIR "/run/cnilink"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

void record_of(struct record *r, int fd, const char *title)
{
	uint64_t cookie = 0;
	socklen_t len = sizeof(cookie);
	char name[200], *at = name;

	/* Other than an inode's number, no later namespace gets it again. */
	getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len);
	snprintf(r->dir, sizeof(r->dir), RUN_DIR "/%" PRIu64, cookie);
	for (; *title && at < name + sizeof(name) - 4; title++) {
		if (isalnum((unsigned char)*title) || strchr("-_", *title))
			*at++ = *title;
		else
			at += sprintf(at, "%%%02x", (unsigned char)*title);
	}
	*at = '\0';
	snprintf(r->file, sizeof(r->file), "%s/%s.conf", r->dir, name);
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

int record_write(const struct record *r, const char *text)
{
	char new[sizeof(r->file) + 4];
	int rc;

	if (!text)
		return unlink(r->file) && errno != ENOENT ? -errno : 0;
	mkdir(RUN_DIR, 0755);
	mkdir(r->dir, 0700);
	snprintf(new, sizeof(new), "%s.new", r->file);
	rc = write_text(new, text);
	if (!rc && rename(new, r->file))
		rc = -errno;
	if (rc)
		unlink(new);
	return rc;
}

/* The next one of a folder that isn't @but; NULL at the end. */
static struct config *next_record(DIR *dir, const char *path, const char *but)
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
		if (strcmp(r.file, but))
			c = record_read(&r);
	}
	return c;
}

bool record_port_shared(const struct record *r, const char *port)
{
	DIR *dir = opendir(r->dir);
	bool shared = false;
	struct config *c;
	unsigned int i;

	while ((c = next_record(dir, r->dir, r->file))) {
		for (i = 0; i < c->n_ports; i++)
			shared |= !strcmp(c->ports[i].ifname, port);
		config_free(c);
	}
	if (dir)
		closedir(dir);
	return shared;
}

struct config *record_find(int fd, const char *name, bool by_title)
{
	struct config *c, *found = NULL;
	unsigned int n = 0;
	struct record r;
	DIR *dir;

	record_of(&r, fd, "");
	dir = opendir(r.dir);
	while ((c = next_record(dir, r.dir, ""))) {
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
