// SPDX-License-Identifier: GPL-2.0
/* One archive with what a support engineer asks for, and no secrets. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <linux/rtnetlink.h>

#include "base/out.h"
#include "base/redact.h"
#include "base/run.h"
#include "base/usage.h"
#include "bgp/bgpd.h"
#include "cmd/verbs.h"
#include "config/config.h"
#include "kernel/rtnl.h"

#define TIMEOUT_MS 60000
#define SELF "/proc/self/exe"

struct bundle {
	const struct config *c;
	const char *bird, *frr;
	char dir[64];		/* made for the purpose */
	char name[64];		/* of the folder in it */
	struct secrets secrets;
	char *check;		/* what it said, in JSON */
};

/* A file of the archive; @text is left without what is secret. */
static int put(struct bundle *b, const char *name, const char *text)
{
	char path[256], *clean = redact(&b->secrets, text);
	FILE *f;
	int rc = 0;

	snprintf(path, sizeof(path), "%s/%s/%s", b->dir, b->name, name);
	f = fopen(path, "we");
	if (!f || fputs(clean, f) == EOF)
		rc = -errno;
	if (f && fclose(f))
		rc = -errno;
	free(clean);
	if (rc)
		err("can't write %s: %s", path, strerror(-rc));
	return rc;
}

static void progress(const char *what)
{
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K%s%s", what ? "collecting " : "",
			what ? what : "");
}

#define MAX_ARGS 12

/* What a command prints: words up to a NULL, of which the first is its name. */
static char *run(struct bundle *b, const char *file, bool is_config, ...)
{
	char *argv[MAX_ARGS + 1] = {}, *out = NULL, *text, head[256];
	size_t used = 0;
	unsigned int n = 0;
	va_list ap;
	int rc;

	va_start(ap, is_config);
	while (n < MAX_ARGS && (argv[n] = va_arg(ap, char *)))
		n++;
	va_end(ap);
	progress(file);
	rc = run_program(argv, TIMEOUT_MS, strcmp(file, "check.json"), &out);
	if (!out)
		out = xstrdup("");
	for (n = 0; argv[n] && used < sizeof(head); n++)
		used += snprintf(head + used, sizeof(head) - used, "%s%s",
				 n ? " " : "", strcmp(argv[n], SELF) ? argv[n] :
				 "cnictl");
	if (is_config) {
		text = redact_config(&b->secrets, out);
		free(out);
		out = text;
	}
	text = xalloc(strlen(out) + sizeof(head) + 64);
	if (rc == 127)
		sprintf(text, "$ %s\nnot installed\n", head);
	else
		sprintf(text, "$ %s\n%s%sexit status %d\n", head, out,
			*out && out[strlen(out) - 1] != '\n' ? "\n" : "", rc);
	/* JSON is for programs, too. */
	put(b, file, strstr(file, ".json") ? out : text);
	free(text);
	return out;
}

#define RUN(b, file, ...) free(run(b, file, false, __VA_ARGS__, NULL))
#define RUN_CONFIG(b, file, ...) free(run(b, file, true, __VA_ARGS__, NULL))

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "re");
	char *text;

	if (!f)
		return NULL;
	text = read_whole(f, NULL);
	fclose(f);
	return text;
}

static void put_config(struct bundle *b, const char *path, const char *name)
{
	char *text = read_file(path), *clean;

	if (!text)
		return;
	clean = redact_config(&b->secrets, text);
	put(b, name, clean);
	free(clean);
	free(text);
}

static void learn_password(struct bundle *b, const char *password,
			   const char *file)
{
	char *text = file ? read_file(file) : NULL;

	if (password)
		redact_add(&b->secrets, password);
	if (text) {
		text[strcspn(text, "\r\n")] = '\0';
		redact_add(&b->secrets, text);
	}
	free(text);
}

/* Before anything is collected: what mustn't be in any of it. */
static void learn_secrets(struct bundle *b)
{
	const struct config *c = b->c;
	unsigned int i;

	learn_password(b, c->bgp.password, c->bgp.password_file);
	for (i = 0; i < c->n_tunnels; i++)
		learn_password(b, c->tunnels[i].password,
			       c->tunnels[i].password_file);
	/* Those of the daemons' files are learnt by taking them out. */
	put_config(b, b->c->file, "cnictl.conf");
	put_config(b, "/etc/bird/bird.conf", "bird.conf");
	put_config(b, "/etc/bird.conf", "bird.conf");
}

struct count {
	size_t by_proto[256];
};

static int count_route(const struct kroute *r, const struct nlmsghdr *raw,
		       void *arg)
{
	struct count *c = arg;

	(void)raw;
	if (r)
		c->by_proto[r->proto]++;
	else
		memset(c, 0, sizeof(*c));
	return 0;
}

static void put_counts(struct bundle *b)
{
	static const int families[] = { AF_INET, AF_INET6 };
	char *text = NULL;
	struct nlconn rt;
	struct count c;
	unsigned int i, k, p;
	size_t size;
	FILE *f;

	if (rtnl_open(&rt))
		return;
	f = open_memstream(&text, &size);
	for (i = 0; f && i < b->c->n_tables; i++) {
		for (k = 0; k < 2; k++) {
			memset(&c, 0, sizeof(c));
			rtnl_routes(&rt, families[k], b->c->tables[i],
				    count_route, &c);
			for (p = 0; p < 256; p++)
				if (c.by_proto[p])
					fprintf(f, "table %u IPv%c protocol %u: %zu routes\n",
						b->c->tables[i], "46"[k], p,
						c.by_proto[p]);
		}
	}
	if (f && !fclose(f))
		put(b, "route-counts.txt", text);
	free(text);
	nlc_close(&rt);
}

static void ask_daemons(struct bundle *b)
{
	char *text;

	text = bgpd_bird_command(b->bird ? b->bird : BGPD_BIRD_SOCKET,
				 "show protocols all");
	if (text)
		put(b, "bird.txt", text);
	free(text);
	if (b->frr && *b->frr) {
		RUN(b, "frr.txt", "vtysh", "-N", b->frr, "-c",
		    "show bgp neighbors");
		RUN_CONFIG(b, "frr.conf", "vtysh", "-N", b->frr, "-c",
			   "show running-config");
	} else if (b->frr || !access("/run/frr/bgpd.vty", F_OK)) {
		RUN(b, "frr.txt", "vtysh", "-c", "show bgp neighbors");
		RUN_CONFIG(b, "frr.conf", "vtysh", "-c",
			   "show running-config");
	}
}

/* Of the kernel's log what is ours. */
static void put_log(struct bundle *b)
{
	char *argv[] = { "dmesg", "-T", NULL }, *out, *line, *save = NULL;
	char *text;

	if (run_program(argv, TIMEOUT_MS, 0, &out) || !out) {
		free(out);
		return;
	}
	text = xalloc(strlen(out) + 2);
	for (line = strtok_r(out, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save))
		if (strcasestr(line, "cnilink") ||
		    strstr(line, b->c->link.device) || strstr(line, "MD5"))
			strcat(strcat(text, line), "\n");
	put(b, "dmesg.txt", text);
	free(text);
	free(out);
}

static void run_check(struct bundle *b)
{
	char *self = SELF, *file = b->c->file;
	const char *option = b->bird ? "--bird" : b->frr ? "--frr" : NULL;

	b->check = run(b, "check.json", false, self, "-j", "check", file,
		       option, option ? b->bird ? b->bird : b->frr : NULL,
		       NULL);
}

static void trace(struct bundle *b, const char *name, const struct addr *peer)
{
	if (peer->family)
		RUN(b, name, "traceroute", "-n", "-w", "1", "-q", "1", "-m",
		    "5", addr_str(peer));
}

static void collect(struct bundle *b)
{
	const struct config_link *l = &b->c->link;

	learn_secrets(b);
	run_check(b);
	RUN(b, "version.txt", SELF, "version");
	RUN(b, "show.txt", SELF, "show");
	RUN(b, "show.json", SELF, "-j", "show");
	RUN(b, "metrics.txt", SELF, "metrics");
	RUN(b, "ping.txt", SELF, "ping", b->c->file);
	RUN(b, "uname.txt", "uname", "-a");
	RUN(b, "ip-link.txt", "ip", "-d", "-s", "-s", "link", "show");
	RUN(b, "ip-addr.txt", "ip", "-d", "addr", "show");
	RUN(b, "ip-rule.txt", "ip", "rule", "show");
	RUN(b, "ip-rule6.txt", "ip", "-6", "rule", "show");
	RUN(b, "ip-neigh.txt", "ip", "neigh", "show", "dev", l->ifname);
	put_counts(b);
	RUN(b, "ethtool.txt", "ethtool", l->device);
	RUN(b, "ethtool-driver.txt", "ethtool", "-i", l->device);
	RUN(b, "ethtool-features.txt", "ethtool", "-k", l->device);
	RUN(b, "ethtool-light.txt", "ethtool", "-m", l->device);
	RUN(b, "ethtool-counters.txt", "ethtool", "-S", l->device);
	ask_daemons(b);
	put_log(b);
	trace(b, "traceroute4.txt", &l->peer4);
	trace(b, "traceroute6.txt", &l->peer6);
	progress(NULL);
}

/* The classes that Cloudflare's support sorts by. */
static const char *class_of(const char *line)
{
	if (!strncmp(line, "bgp", 3))
		return "BGP down";
	if (!strncmp(line, "prefixes", 8))
		return "prefixes withdrawn";
	if (!strcmp(line, "device") || !strcmp(line, "light") ||
	    !strcmp(line, "vlan") || !strcmp(line, "arp") ||
	    !strcmp(line, "nd") || !strncmp(line, "ping", 4) ||
	    !strncmp(line, "mtu", 3))
		return "CNI down";
	return NULL;
}

static void write_checks(struct bundle *b, FILE *f)
{
	json_t *root = b->check ? json_loads(b->check, 0, NULL) : NULL, *o;
	const char *name, *state, *class = NULL;
	size_t i;

	json_array_foreach(json_object_get(root, "checks"), i, o) {
		name = json_string_value(json_object_get(o, "check"));
		state = json_string_value(json_object_get(o, "state"));
		if (!name || !state || strcmp(state, "fail"))
			continue;
		if (!class)
			class = class_of(name);
		fprintf(f, "  %s: %s\n", name, json_string_value(
			json_object_get(o, "text")));
	}
	fprintf(f, "Problem class: %s\n", class ? class :
		"none of CNI down, BGP down, prefixes withdrawn");
	json_array_foreach(json_object_get(root, "checks"), i, o) {
		name = json_string_value(json_object_get(o, "check"));
		if (name && !strcmp(name, "light"))
			fprintf(f, "Light: %s\n", json_string_value(
				json_object_get(o, "text")));
	}
	json_decref(root);
}

static void put_summary(struct bundle *b, const char *when)
{
	const struct config_link *l = &b->c->link;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return;
	fprintf(f, "Collected: %s\n", when);
	fprintf(f, "Link: %s on %s, VLAN %u\n", l->title, l->device, l->vlan);
	if (l->local4.family)
		fprintf(f, "Ours: %s, Cloudflare's: %s\n",
			addr_prefix_str(&l->local4), addr_str(&l->peer4));
	if (l->local6.family)
		fprintf(f, "Ours: %s, Cloudflare's: %s\n",
			addr_prefix_str(&l->local6), addr_str(&l->peer6));
	if (l->local_as)
		fprintf(f, "Our AS: %u\n", l->local_as);
	fputs("What fails:\n", f);
	write_checks(b, f);
	fputs("\nTo be added by you: since when there is trouble, with the time zone, and what it means for your service.\n",
	      f);
	if (!fclose(f))
		put(b, "README.txt", text);
	free(text);
}

static int pack(struct bundle *b, const char *file)
{
	char *argv[] = { "tar", "-C", b->dir, "-czf", NULL, b->name, NULL };
	char part[300], *out;
	int rc, fd;

	/* Nobody else's to read, and never in the place of another one. */
	fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		err("can't make %s: %s", file, strerror(errno));
		return RC_FAILED;
	}
	close(fd);
	/* A name with a colon would be another host's to tar. */
	snprintf(part, sizeof(part), "%s/archive", b->dir);
	argv[4] = part;
	rc = run_program(argv, TIMEOUT_MS, 1, &out);
	if (rc) {
		err("tar can't make the archive: %s", out ? out : "");
	} else {
		char *copy[] = { "cp", "--", part, (char *)file, NULL };

		free(out);
		rc = run_program(copy, TIMEOUT_MS, 1, &out);
		if (rc)
			err("can't write %s: %s", file, out ? out : "");
	}
	free(out);
	if (rc)
		unlink(file);
	return rc ? RC_FAILED : RC_OK;
}

static void clean_up(struct bundle *b)
{
	char *argv[] = { "rm", "-rf", "--", b->dir, NULL }, *out;

	run_program(argv, TIMEOUT_MS, 1, &out);
	free(out);
}

static int make(struct bundle *b, const char *file)
{
	char when[64], path[192], name[128];
	time_t t = time(NULL);
	struct tm tm;
	int rc;

	localtime_r(&t, &tm);
	strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z (%Z)", &tm);
	strftime(b->name, sizeof(b->name), "cnictl-support-%Y%m%d-%H%M%S",
		 &tm);
	if (!file) {
		snprintf(name, sizeof(name), "%s.tar.gz", b->name);
		file = name;
	}
	if (!access(file, F_OK)) {
		err("%s exists already", file);
		return RC_FAILED;
	}
	strcpy(b->dir, "/tmp/cnictl-support-XXXXXX");
	if (!mkdtemp(b->dir)) {
		err("can't make a folder in /tmp: %s", strerror(errno));
		return RC_FAILED;
	}
	snprintf(path, sizeof(path), "%s/%s", b->dir, b->name);
	if (mkdir(path, 0700)) {
		err("can't make %s: %s", path, strerror(errno));
		rc = RC_FAILED;
	} else {
		collect(b);
		put_summary(b, when);
		rc = pack(b, file);
	}
	clean_up(b);
	if (rc)
		return rc;
	if (out_json)
		out_print(json_pack("{s:s}", "file", file));
	else
		printf("written to %s: when you send it, say since when there is trouble, with the time zone, and what it means for your service\n",
		       file);
	return RC_OK;
}

int verb_support_bundle(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "bird", required_argument, NULL, 'b' },
		{ "frr", required_argument, NULL, 'f' },
		{}
	};
	struct bundle b = {};
	const char *file = NULL;
	struct config *c;
	int opt, rc;

	while ((opt = getopt_long(argc, argv, "o:", longs, NULL)) != -1) {
		switch (opt) {
		case 'o':
			file = optarg;
			break;
		case 'b':
			b.bird = optarg;
			break;
		case 'f':
			b.frr = optarg;
			break;
		default:
			return usage_option("support-bundle", argv);
		}
	}
	if (optind + 1 != argc)
		return usage("support-bundle", "one configuration file is needed");
	c = config_read(argv[optind]);
	if (!c)
		return RC_USAGE;
	b.c = c;
	rc = make(&b, file);
	redact_free(&b.secrets);
	free(b.check);
	config_free(c);
	return rc;
}
