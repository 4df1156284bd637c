// SPDX-License-Identifier: GPL-2.0
/* BIRD 2, by the protocol of its control socket: what birdc speaks. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/out.h"
#include "bgp/bgpd.h"

#define TIMEOUT_S 10
#define MOST (64 << 20)

/*
 * The end of an answer is a line that begins with a code and a space; 0001 is
 * the greeting, codes from 8000 on are errors.
 */
static const char *last_line(const char *text, size_t len)
{
	const char *at;

	if (!len || text[len - 1] != '\n')
		return NULL;
	for (at = text + len - 1; at > text && at[-1] != '\n'; at--)
		;
	if (strlen(at) < 5 || at[4] != ' ' || strspn(at, "0123456789") != 4)
		return NULL;
	return at;
}

/* What it says up to the end of an answer. */
static char *hear(int fd)
{
	size_t used = 0, size = 4096;
	char *text = xalloc(size);
	ssize_t n;

	for (;;) {
		n = read(fd, text + used, size - used - 1);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n ? errno : ECONNRESET;
			break;
		}
		used += n;
		text[used] = '\0';
		if (last_line(text, used))
			return text;
		if (used == size - 1) {
			size *= 2;
			text = xrealloc(text, size);
		}
		if (size > MOST) {
			errno = EMSGSIZE;
			break;
		}
	}
	free(text);
	return NULL;
}

/* "1002-text" and " text" to "text". */
static void strip(char *text)
{
	char *to = text, *line, *next;

	for (line = text; *line; line = next) {
		next = line + strcspn(line, "\n");
		next += *next == '\n';
		if (strspn(line, "0123456789") == 4 &&
		    (line[4] == '-' || line[4] == ' '))
			line += 5;
		else if (*line == ' ')
			line++;
		memmove(to, line, next - line);
		to += next - line;
	}
	*to = '\0';
}

static char *converse(int fd, const char *command)
{
	char *text = hear(fd);
	size_t n = strlen(command);

	if (!text)
		return NULL;
	free(text);
	/* One that ended meanwhile is an error of BIRD's, not the end of this. */
	if (send(fd, command, n, MSG_NOSIGNAL) != (ssize_t)n ||
	    send(fd, "\n", 1, MSG_NOSIGNAL) != 1)
		return NULL;
	text = hear(fd);
	if (text && *last_line(text, strlen(text)) >= '8') {
		free(text);
		errno = EINVAL;
		return NULL;
	}
	if (text)
		strip(text);
	return text;
}

char *bgpd_bird_command(const char *path, const char *command)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct timeval timeout = { .tv_sec = TIMEOUT_S };
	char *text = NULL;
	int fd, error;

	if (strlen(path) >= sizeof(a.sun_path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return NULL;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (!connect(fd, (struct sockaddr *)&a, sizeof(a)))
		text = converse(fd, command);
	error = errno;
	close(fd);
	errno = error;
	return text;
}

static void copy(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

/* "    Key:   value" of the details: the value when the key is @key. */
static const char *value(const char *line, const char *key)
{
	size_t n = strlen(key);

	line += strspn(line, " ");
	if (strncmp(line, key, n) || line[n] != ':')
		return NULL;
	line += n + 1;
	return line + strspn(line, " ");
}

/* "876 imported, 3 filtered, 1 exported, 876 preferred" */
static void take_routes(struct bgpd_family *f, const char *s)
{
	unsigned long long n;
	char what[16];
	int used;

	while (sscanf(s, "%llu %15[a-z]%n", &n, what, &used) == 2) {
		if (!strcmp(what, "imported")) {
			f->accepted = n;
		} else if (!strcmp(what, "exported")) {
			f->announced = n;
		} else if (!strcmp(what, "filtered")) {
			/* Said with "import keep filtered" only */
			f->filtered_is = BGPD_KEPT;
			f->filtered = n;
		}
		s += used;
		s += strspn(s, ", ");
	}
}

/* "Import updates:  received rejected filtered ignored accepted" */
static void take_updates(struct bgpd_family *f, const char *s)
{
	unsigned long long received, rejected, filtered;

	if (sscanf(s, "%llu %llu %llu", &received, &rejected, &filtered) != 3)
		return;
	if (f->filtered_is == BGPD_KEPT)
		return;
	f->filtered_is = BGPD_SO_FAR;
	/* Those of a filter that isn't there any more are counted, too. */
	if (strcmp(f->filter, "ACCEPT"))
		f->filtered = filtered;
}

static void take_session_line(struct bgpd_session *s, const char *line)
{
	const char *v;

	if ((v = value(line, "BGP state"))) {
		copy(s->state, sizeof(s->state), v);
		s->established = !strcmp(v, "Established");
	} else if ((v = value(line, "Neighbor address"))) {
		char bare[64];

		copy(bare, sizeof(bare), v);
		bare[strcspn(bare, "%")] = '\0';
		addr_parse(bare, &s->peer);
	} else if ((v = value(line, "Neighbor AS"))) {
		s->peer_as = strtoul(v, NULL, 10);
	} else if ((v = value(line, "Local AS"))) {
		s->local_as = strtoul(v, NULL, 10);
	} else if ((v = value(line, "Last error"))) {
		copy(s->error, sizeof(s->error), v);
		/* It isn't down because somebody wants that. */
		s->disabled = false;
	}
}

static void take_channel_line(struct bgpd_family *f, const char *line)
{
	const char *v;

	if ((v = value(line, "State"))) {
		f->on = !strncmp(v, "UP", 2);
	} else if ((v = value(line, "Input filter"))) {
		copy(f->filter, sizeof(f->filter), v);
	} else if ((v = value(line, "Import limit"))) {
		f->limit = strtoull(v, NULL, 10);
	} else if ((v = value(line, "Receive limit"))) {
		if (!f->limit)
			f->limit = strtoull(v, NULL, 10);
	} else if ((v = value(line, "Routes"))) {
		take_routes(f, v);
	} else if ((v = value(line, "Import updates"))) {
		take_updates(f, v);
	}
	if (strstr(line, "limit") && strstr(line, "[HIT]"))
		f->limit_hit = true;
}

void bgpd_bird_parse(const char *text, const struct addr *peers,
		    unsigned int n_peers, struct bgpd *b)
{
	char *all = xstrdup(text), *save = NULL, *line, kind[16], up[16];
	struct bgpd_session *s = NULL;
	struct bgpd_family *f = NULL, ignored;

	for (line = strtok_r(all, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (!isspace((unsigned char)*line)) {
			if (s && !bgpd_wanted(&s->peer, peers, n_peers))
				b->n--;
			s = NULL;
			f = NULL;
			if (sscanf(line, "%*s %15s %*s %15s", kind, up) == 2 &&
			    !strcmp(kind, "BGP"))
				s = bgpd_add(b);
			if (!s)
				continue;
			memset(s, 0, sizeof(*s));
			sscanf(line, "%63s", s->name);
			s->disabled = !strcmp(up, "down");
		} else if (!s) {
			continue;
		} else if (!strncmp(line, "  Channel ", 10)) {
			f = !strcmp(line + 10, "ipv4") ? &s->fam[0] :
			    !strcmp(line + 10, "ipv6") ? &s->fam[1] : &ignored;
		} else if (f) {
			take_channel_line(f, line);
		} else {
			take_session_line(s, line);
		}
	}
	if (s && !bgpd_wanted(&s->peer, peers, n_peers))
		b->n--;
	free(all);
}

static int ask(const char *where, const struct addr *peers,
	       unsigned int n_peers, struct bgpd *b)
{
	char *text;

	text = bgpd_bird_command(where ? where : BGPD_BIRD_SOCKET,
				"show protocols all");
	/* A socket that nobody listens to any more is left behind. */
	if (!text)
		return errno == ECONNREFUSED ? -ENOENT : -errno;
	bgpd_bird_parse(text, peers, n_peers, b);
	free(text);
	return 0;
}

/* The prefixes of a list of routes. */
static int list_routes(const char *where, const char *command, int family,
		       struct addr *list, unsigned int max)
{
	char *text, *save = NULL, *line;
	struct addr a;
	int n = 0;

	text = bgpd_bird_command(where ? where : BGPD_BIRD_SOCKET, command);
	if (!text)
		return -errno;
	for (line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		line[strcspn(line, " ")] = '\0';
		if (addr_parse_prefix(line, &a) || a.family != family)
			continue;
		if ((unsigned int)n < max)
			list[n] = a;
		n++;
	}
	free(text);
	return n;
}

static int announced(const char *where, const struct bgpd_session *s,
		     int family, struct addr *list, unsigned int max)
{
	char command[128];

	snprintf(command, sizeof(command), "show route export %s", s->name);
	return list_routes(where, command, family, list, max);
}

static int filtered(const char *where, const struct bgpd_session *s,
		    int family, struct addr *list, unsigned int max)
{
	char command[128];

	snprintf(command, sizeof(command), "show route filtered protocol %s",
		 s->name);
	return list_routes(where, command, family, list, max);
}

const struct bgpd_daemon bgpd_bird = {
	"BIRD", ask, announced, filtered, "import keep filtered"
};
